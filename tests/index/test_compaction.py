"""Compaction: bases made anew while all else goes on, and what survives of old ones."""

from __future__ import annotations

import json
import sqlite3
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crossmodal.embeddings import normalize
from crossmodal.errors import CollectionError, ConfigError
from crossmodal.modality import Modality
from index.collection import Collection
from index.storage.new_items import NewItem, NewVector
from index.writing.compaction import CompactionPolicy
from index.writing.operations import Delete, Operation, Put

AUDIO, VISUAL = Modality.AUDIO, Modality.VISUAL
QUERIES = normalize(np.random.default_rng(9).standard_normal((5, 8)))
SECONDS = 120  # a bound for what hangs, not for what is slow


def put(item_id: str, *modalities: Modality) -> Put:
    rng = np.random.default_rng(list(item_id.encode()))
    vectors = [NewVector(m, rng.standard_normal(8)) for m in modalities or (AUDIO, VISUAL)]
    return Put(item=NewItem(id=item_id, vectors=vectors))


def write(collection: Collection, *operations: Operation) -> None:
    collection.submit(*operations).result(SECONDS)


def answers(collection: Collection) -> object:
    view = collection.view
    found = [
        view.search(m, QUERIES, 100, group=group)
        for m in view.shelves
        for group in ("item", "segment")
    ]
    return view.seq, list(view.items.values()), view.sizes, view.segments, found


def shape(collection: Collection) -> dict[str, list[int]]:
    """How many vectors each gallery of each shelf holds, live or not."""
    shelves = collection.view.shelves
    return {m: [len(shelf.gallery) for shelf in shelves[m]] for m in shelves}


def test_memory_is_given_back_once_nothing_stands_on_the_files_before(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Collection.open(data, write=True) as collection:
        write(collection, *(put(f"n{n}") for n in range(9)))
        shapes: list[dict[str, list[int]]] = []
        monkeypatch.setattr(
            "index.writing.compaction.give_back", lambda: shapes.append(shape(collection))
        )
        collection.compact()
        assert shapes == [shape(collection)] == [{AUDIO: [49], VISUAL: [49]}]


def test_compaction_changes_no_answer_and_leaves_nothing_but_a_base(data: Path) -> None:
    with Collection.open(data, write=True) as collection:
        write(collection, *(put(f"n{n}") for n in range(9)), put("solo", AUDIO))
        write(collection, Delete(ids=["n3", "clip01", "clip02"]))
        assert shape(collection) == {AUDIO: [40, 10], VISUAL: [40, 9]}
        before = answers(collection)
        old = collection.view
        manifest = collection.compact()
        assert manifest.seq == collection.view.seq
        assert shape(collection) == {AUDIO: [47], VISUAL: [46]}
        assert answers(collection) == before
        assert old.sizes == collection.view.sizes  # a view held meanwhile is unharmed
        assert old is not collection.view
        write(collection, Delete(ids=["clip03"]), put("later"))
        before = answers(collection)
    with Collection.open(data) as again:
        assert again.degraded is None
        assert answers(again) == before
        assert shape(again) == {AUDIO: [47, 1], VISUAL: [46, 1]}


def test_what_is_written_during_a_compaction_is_neither_lost_nor_doubled(
    data: Path,
) -> None:
    """The compaction is held where its bases are written but not yet in use."""
    written, go_on = threading.Event(), threading.Event()

    def reached(point: str) -> None:
        if point == "before CURRENT":
            written.set()
            assert go_on.wait(SECONDS)

    with Collection.open(data, write=True, reached=reached) as collection:
        write(collection, put("a"), put("b"), put("c"))
        thread = threading.Thread(target=collection.compact)
        thread.start()
        assert written.wait(SECONDS)
        write(collection, Delete(ids=["a", "clip05"]))
        write(collection, put("b", AUDIO), put("new"), put("clip06", VISUAL))
        write(collection, put("gone"), Delete(ids=["gone"]), put("c"))
        before = answers(collection)
        go_on.set()
        thread.join(SECONDS)
        assert answers(collection) == before
        assert shape(collection) == {AUDIO: [43, 3], VISUAL: [43, 3]}
    with Collection.open(data, write=True) as again:
        assert again.degraded is None
        assert answers(again) == before
        again.compact()
        assert answers(again) == before


@pytest.mark.parametrize("by", ["tail", "deletion"])
def test_it_is_time_when_much_was_written_or_deleted(data: Path, by: str) -> None:
    done = threading.Event()
    policy = CompactionPolicy(tail=5, deleted=0.2)

    def reached(point: str) -> None:
        if point == "after swap":
            done.set()

    with Collection.open(data, write=True, policy=policy, reached=reached) as collection:
        if by == "tail":
            write(collection, *(put(f"n{n}", AUDIO) for n in range(5)))
            assert not done.wait(0.2)
            write(collection, put("n5", AUDIO))
        else:
            write(collection, Delete(ids=[f"clip{n:02d}" for n in range(8)]))
            assert not done.wait(0.2)
            write(collection, Delete(ids=["clip08"]))
        assert done.wait(SECONDS)
        sizes = {AUDIO: [46], VISUAL: [40]} if by == "tail" else {AUDIO: [31], VISUAL: [31]}
        assert shape(collection) == sizes


def test_the_last_two_bases_are_kept_and_nothing_else(data: Path) -> None:
    (data / "index" / "base-audio-7.faiss.new").write_bytes(b"interrupted")
    with Collection.open(data, write=True) as collection:
        for number in range(3):
            write(collection, put(f"n{number}"))
            collection.compact()
    assert sorted(path.name for path in (data / "index").iterdir()) == [
        "CURRENT",
        *(f"base-{m}-{seq}.faiss" for m in (AUDIO, VISUAL) for seq in (126, 129)),
    ]


def test_log_rows_below_the_older_base_go_and_numbers_go_on(data: Path) -> None:
    with Collection.open(data, write=True) as collection:
        for number in range(2):
            write(collection, put(f"n{number}"))
            collection.compact()
        assert collection.view.seq == 126
    connection = sqlite3.connect(data / "items.db")
    rows = connection.execute("SELECT seq, op, id FROM log ORDER BY seq").fetchall()
    connection.close()
    assert rows == [(126, "add", "n1")]
    with Collection.open(data, write=True) as collection:
        write(collection, put("n2"))
        assert collection.view.seq == 129


def test_a_compaction_that_cannot_write_leaves_all_as_it_was(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(path: Path, produce: Any) -> None:
        def write(part: bytes) -> None:
            raise OSError(28, "No space left on device")

        produce(write)

    with Collection.open(data, write=True) as collection:
        write(collection, put("a"))
        before = answers(collection), shape(collection)
        with monkeypatch.context() as patch:
            patch.setattr("index.views.manifest.write_parts", no_space)
            with pytest.raises(OSError, match="No space left"):
                collection.compact()
        write(collection, put("b"), Delete(ids=["b"]))
        assert shape(collection) == {AUDIO: [40, 2], VISUAL: [40, 2]}
        collection.compact()
        assert shape(collection) == {AUDIO: [41], VISUAL: [41]}
        after = answers(collection)
    with Collection.open(data) as again:
        assert answers(again) == after
    assert before[1] == {AUDIO: [40, 1], VISUAL: [40, 1]}


def test_a_damaged_vector_ends_a_compaction_instead_of_entering_a_base(
    data: Path,
) -> None:
    connection = sqlite3.connect(data / "items.db")
    connection.execute("UPDATE vectors SET crc = crc + 1 WHERE seq = 1")
    connection.commit()
    connection.close()
    with Collection.open(data, write=True) as collection:
        with pytest.raises(CollectionError, match=r"vector 1 \(audio\) is damaged"):
            collection.compact()
        write(collection, put("a"))
        assert shape(collection) == {AUDIO: [40, 1], VISUAL: [40, 1]}


def test_a_degraded_collection_answers_and_is_written_to_until_it_is_whole(
    data: Path,
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def reached(point: str) -> None:
        if point == "before CURRENT":
            begun.set()
            assert go_on.wait(SECONDS)

    with Collection.open(data) as collection:
        expected = answers(collection)
    (data / "index" / "CURRENT").unlink()
    with Collection.open(data, write=True, reached=reached) as collection:
        assert begun.wait(SECONDS)
        assert collection.degraded == "there is no CURRENT"
        assert collection.info()["degraded"] == "there is no CURRENT"
        assert answers(collection) == expected
        write(collection, put("meanwhile"))
        go_on.set()
        collection.compact()
        assert collection.degraded is None
        after = answers(collection)
    with Collection.open(data) as again:
        assert again.degraded is None
        assert answers(again) == after


def test_only_an_open_writer_compacts(data: Path) -> None:
    with Collection.open(data) as reading:
        with pytest.raises(CollectionError, match="opened for reading only"):
            reading.compact()
    with Collection.open(data, write=True) as writing:
        pass
    with pytest.raises(CollectionError, match="is closed"):
        writing.compact()


@pytest.mark.parametrize("wrong", [{"tail": 0}, {"deleted": 0.0}, {"deleted": 1.1}])
def test_a_policy_out_of_range_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="deleted part in"):
        CompactionPolicy(**wrong)  # type: ignore[arg-type]


def test_an_empty_collection_compacts_and_fills_again(data: Path) -> None:
    with Collection.open(data, write=True) as collection:
        write(collection, Delete(ids=list(collection.view.items)))
        collection.compact()
        assert shape(collection) == {AUDIO: [0], VISUAL: [0]}
        write(collection, put("a"))
    with Collection.open(data, write=True) as collection:
        assert collection.degraded is None
        assert collection.view.sizes == {AUDIO: 1, VISUAL: 1}


def test_current_names_what_the_files_are(data: Path) -> None:
    with Collection.open(data, write=True) as collection:
        write(collection, put("a"))
        manifest = collection.compact()
    current = json.loads((data / "index" / "CURRENT").read_text())
    assert current["seq"] == manifest.seq == 123
    assert current["bases"]["audio"]["count"] == 41
