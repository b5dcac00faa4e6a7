"""Writing through an opened collection: what is acknowledged is stored and searchable."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from crossmodal.embeddings import normalize
from crossmodal.errors import (
    CollectionError,
    ConfigError,
    DataError,
    IdempotencyConflictError,
    ShapeError,
    UnknownItemError,
)
from crossmodal.items import Segment
from crossmodal.modality import Modality
from index.collection import Collection
from index.storage.new_items import NewItem, NewVector
from index.storage.store import Store
from index.views.filters import Clause, Filter
from index.writing.group import Submission
from index.writing.operations import Delete, Idempotency, ItemResult, Put, Receipt, Status

AUDIO, VISUAL = Modality.AUDIO, Modality.VISUAL
SECONDS = 120  # a bound for what hangs, not for what is slow


def vector(seed: int, modality: str = AUDIO, *span: float) -> NewVector:
    row = np.random.default_rng(seed).standard_normal(8)
    return NewVector(modality, row, Segment(*map(float, span)) if span else Segment())


def put(item_id: str, *vectors: NewVector, **known: object) -> Put:
    options = {k: known.pop(k) for k in ("media", "replace") if k in known}
    item = NewItem(id=item_id, vectors=vectors or (vector(len(item_id)),), **known)  # type: ignore[arg-type]
    return Put(item=item, **options)  # type: ignore[arg-type]


def unit(given: NewVector) -> np.ndarray:
    return normalize(given.embedding[None])


@pytest.fixture
def collection(data: Path) -> Iterator[Collection]:
    with Collection.open(data, write=True) as opened:
        yield opened


def written(collection: Collection, *operations: Put | Delete, **known: object) -> Receipt:
    return collection.submit(*operations, **known).result(SECONDS)  # type: ignore[arg-type]


def state(collection: Collection) -> object:
    view = collection.view
    queries = np.eye(3, 8, dtype=np.float32)
    return (
        view.seq,
        list(view.items.values()),
        [view.search(m, queries, 60) for m in view.shelves],
        [view.search(m, queries, 60, group="segment", exact=True) for m in view.shelves],
        dict(view.unserved),
    )


def test_what_was_acknowledged_is_found_and_is_the_same_after_reopening(
    collection: Collection, data: Path
) -> None:
    given = [vector(1, AUDIO, 0, 2), vector(2, AUDIO, 2, 4), vector(3, VISUAL)]
    receipt = written(collection, put("new", *given, label="cat", metadata={"a": [1]}))
    assert receipt == Receipt(
        seq=124, results=[ItemResult("new", Status.CREATED, 124)], replayed=False
    )
    view = collection.view
    assert view.seq == 124
    assert view.sizes == {AUDIO: 41, VISUAL: 41}
    item = view.item("new")
    assert (item.label, item.metadata, item.modalities) == (
        "cat",
        {"a": [1]},
        (AUDIO, VISUAL),
    )
    np.testing.assert_array_equal(
        view.vectors("new", AUDIO), np.concatenate([unit(given[0]), unit(given[1])])
    )
    (hits,) = view.search(AUDIO, unit(given[1]), 1)
    assert (hits[0].item_id, hits[0].segment) == ("new", Segment(2.0, 4.0))
    before = state(collection)
    collection.close()
    with Collection.open(data) as again:
        assert again.degraded is None
        assert state(again) == before


def test_a_put_takes_the_place_of_the_item_of_its_id_unless_told_not_to(
    collection: Collection, data: Path
) -> None:
    written(collection, put("clip03", vector(5)))
    view = collection.view
    assert view.item("clip03").modalities == (AUDIO,)
    assert view.sizes == {AUDIO: 40, VISUAL: 39}
    np.testing.assert_array_equal(view.vectors("clip03", AUDIO), unit(vector(5)))
    assert written(collection, put("clip03", vector(6))).results[0].status == "replaced"
    kept = written(collection, put("clip03", vector(7), replace=False))
    assert kept.results == [ItemResult("clip03", Status.EXISTS, None)]
    np.testing.assert_array_equal(collection.view.vectors("clip03", AUDIO), unit(vector(6)))
    before = state(collection)
    collection.close()
    with Collection.open(data) as again:
        assert state(again) == before


def test_a_deleted_item_is_gone_wherever_it_was_and_stays_gone(
    collection: Collection, data: Path
) -> None:
    written(collection, put("fresh"), put("other"))
    receipt = written(collection, Delete(ids=["clip05", "fresh", "never"]))
    assert [result.status for result in receipt.results] == [
        *("deleted", "deleted", "missing")
    ]
    for view in (collection.view,):
        assert view.sizes == {AUDIO: 40, VISUAL: 39}
        for item_id in ("clip05", "fresh"):
            with pytest.raises(UnknownItemError):
                view.item(item_id)
            with pytest.raises(UnknownItemError):
                view.vectors(item_id, AUDIO)
        (hits,) = view.search(AUDIO, unit(vector(5)), 100)
        assert len(hits) == 40
        assert {"clip05", "fresh"}.isdisjoint(hit.item_id for hit in hits)
    before = state(collection)
    collection.close()
    with Collection.open(data) as again:
        assert state(again) == before


def test_an_id_may_come_and_go_within_one_submission(
    collection: Collection, data: Path
) -> None:
    receipt = written(
        collection,
        put("x", vector(1), vector(2)),
        Delete(ids=["x"]),
        put("x", vector(3)),
        put("x", vector(4), vector(5, VISUAL)),
    )
    assert [result.status for result in receipt.results] == [
        *("created", "deleted", "created", "replaced")
    ]
    np.testing.assert_array_equal(collection.view.vectors("x", AUDIO), unit(vector(4)))
    assert collection.view.segments == {AUDIO: 41, VISUAL: 41}
    before = state(collection)
    collection.close()
    with Collection.open(data) as again:
        assert state(again) == before


def test_a_view_taken_before_a_write_never_changes(collection: Collection) -> None:
    written(collection, put("first", vector(1)))
    old = collection.view
    before = state(collection)

    class Then:
        view = old

    written(collection, put("second", vector(2)), Delete(ids=["first", "clip00"]))
    assert state(Then) == before  # type: ignore[arg-type]
    for number in range(200):  # the tail's arrays grow meanwhile
        collection.submit(put(f"n{number}", vector(number), vector(number, VISUAL)))
    written(collection, Delete(ids=["second", "clip01"]))
    assert collection.view.seq > old.seq
    assert state(Then) == before  # type: ignore[arg-type]


def test_deletion_by_filter_sees_what_was_written_just_before(
    collection: Collection,
) -> None:
    wanted = Filter(must=(Clause("label", "eq", "owl"),), must_not=(Clause("n", "gte", 3),))
    receipt = written(
        collection,
        put("a", label="owl", metadata={"n": 2}),
        put("b", label="owl", metadata={"n": 3}),
        put("clip02", label="cat"),  # was an owl
        Delete(filter=wanted),
    )
    gone = [r.item_id for r in receipt.results if r.status is Status.DELETED]
    assert gone == ["a", *(f"clip{n:02d}" for n in range(5, 40, 3))]
    assert {i.id for i in collection.view.items.values() if i.label == "owl"} == {"b"}


def test_deletion_by_filter_takes_so_many_at_most_and_the_rest_when_asked_again(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("index.writing.group.MOST_BY_FILTER", 5)
    wanted = Delete(filter=Filter(must=(Clause("label", "eq", "owl"),)))
    assert Submission([wanted, Delete(ids=["a"])]).size == 6
    gone = []
    while results := written(collection, wanted).results:
        assert all(result.status is Status.DELETED for result in results)
        gone.append([result.item_id for result in results])
    owls = [f"clip{n:02d}" for n in range(2, 40, 3)]
    assert gone == [owls[:5], owls[5:10], owls[10:]]
    assert not set(owls) & set(collection.view.items)


def test_one_key_and_request_are_written_once_however_often_they_come(
    collection: Collection, data: Path
) -> None:
    key = Idempotency(key="k", request_sha256="1" * 64)
    barrier = threading.Barrier(8)
    receipts: list[Receipt] = []

    def send() -> None:
        barrier.wait()
        receipts.append(written(collection, put("once"), idempotency=key))

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    assert len(receipts) == 8
    assert {(r.seq, tuple(r.results)) for r in receipts} == {
        (122, (ItemResult("once", Status.CREATED, 122),))
    }
    assert sorted(r.replayed for r in receipts) == [False] + [True] * 7
    assert collection.view.seq == 122
    other = Idempotency(key="k", request_sha256="2" * 64)
    with pytest.raises(IdempotencyConflictError, match="used for another request"):
        written(collection, put("twice"), idempotency=other)
    written(collection, Delete(ids=["once"]))
    collection.close()
    with Collection.open(data, write=True) as again:
        assert written(again, put("once"), idempotency=key).replayed
        assert "once" not in again.view.items
        with pytest.raises(IdempotencyConflictError):
            written(again, put("twice"), idempotency=other)


@contextmanager
def writer_held(collection: Collection) -> Iterator[None]:
    """Keep the writer busy, so that what is submitted meanwhile waits for its turn."""
    begun, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        begun.set()
        assert go_on.wait(SECONDS)

    waiting = threading.Thread(
        target=collection._writing._writer.run,  # type: ignore[union-attr]
        args=(hold,),
    )
    waiting.start()
    assert begun.wait(SECONDS)
    try:
        yield
    finally:
        go_on.set()
        waiting.join(SECONDS)


def test_a_conflict_costs_its_own_submission_only(collection: Collection) -> None:
    keys = [Idempotency(key="k", request_sha256=digit * 64) for digit in "12"]
    with writer_held(collection):
        futures = [
            collection.submit(put("a"), idempotency=keys[0]),
            collection.submit(put("b"), idempotency=keys[1]),
            collection.submit(put("c")),
        ]
    assert futures[0].result(SECONDS).results[0].item_id == "a"
    with pytest.raises(IdempotencyConflictError):
        futures[1].result(SECONDS)
    assert futures[2].result(SECONDS).results[0].item_id == "c"
    assert "b" not in collection.view.items


def test_what_is_cancelled_before_its_turn_is_not_written(collection: Collection) -> None:
    with writer_held(collection):
        given_up = collection.submit(put("never"))
        assert given_up.cancel()
    written(collection, put("later"))
    assert "never" not in collection.view.items


BAD_PUTS = [
    (put("a b"), DataError, "item id must be"),
    (put("x" * 65), DataError, "item id must be"),
    (put("a", label="x" * 1001), DataError, "item a: a label has 1000 characters"),
    (put("a", metadata={"t": "x" * 16384}), DataError, "have 16384 bytes as JSON at most"),
    (put("a", metadata={"t": float("nan")}), DataError, "item a: metadata must be JSON"),
    (put("a", metadata={"t": {1, 2}}), DataError, "item a: metadata must be JSON"),
    (put("a", metadata={"t": "\ud800"}), DataError, "item a: metadata must be JSON"),
    (put("a", vector(0, AUDIO, 2, 1)), DataError, "item a, audio: expected a segment"),
    (put("a", vector(0, AUDIO, -1, 1)), DataError, "0 <= start <= end"),
    (put("a", vector(0, AUDIO, 0, np.inf)), DataError, "0 <= start <= end"),
    (put("a", NewVector(AUDIO, np.ones(7))), ShapeError, r"vector \(8,\), got \(7,\)"),
    *(
        (put("a", NewVector(AUDIO, np.full(8, bad))), ShapeError, "item a, audio: .*norm")
        for bad in (np.nan, np.inf, 0.0, 1e-7, 1e6)
    ),
    (
        put("a", NewVector(AUDIO, np.full(8, 3e38, np.float32))),
        ShapeError,
        "norm outside",
    ),
]


@pytest.mark.parametrize(("bad", "error", "message"), BAD_PUTS)
def test_what_may_not_be_stored_is_refused_before_anything_of_its_submission_is(
    collection: Collection, bad: Put, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        collection.check(bad)
    with pytest.raises(error, match=message):
        collection.submit(put("fine"), bad)
    assert written(collection, put("after")).seq == 122
    assert "fine" not in collection.view.items


@pytest.mark.parametrize(("depth", "allowed"), [(8, True), (9, False), (3000, False)])
def test_metadata_may_be_eight_levels_deep(
    collection: Collection, depth: int, allowed: bool
) -> None:
    nested: object = 1
    for _ in range(depth - 1):
        nested = [nested]
    given = put("deep", metadata={"x": nested})
    if allowed:
        written(collection, given)
        assert collection.view.item("deep").metadata == {"x": nested}
    else:
        with pytest.raises(DataError, match="8 levels deep"):
            collection.check(given)


def test_a_norm_is_taken_in_float64(collection: Collection) -> None:
    row = np.zeros(8, np.float32)
    row[0] = 1e-5
    written(collection, put("small", NewVector(AUDIO, row)))
    np.testing.assert_array_equal(
        collection.view.vectors("small", AUDIO), np.eye(1, 8, dtype=np.float32)
    )


def test_vectors_that_cannot_be_served_are_counted_as_they_come_and_go(
    collection: Collection,
) -> None:
    written(collection, put("s", vector(1), vector(2, "smell"), vector(3, "smell")))
    assert collection.view.unserved == {"smell": 2}
    assert collection.view.item("s").modalities == (AUDIO,)
    written(collection, put("s", vector(1), vector(2, "smell")))
    assert collection.view.unserved == {"smell": 1}
    written(collection, Delete(ids=["s"]))
    assert collection.view.unserved == {}


def test_a_deletion_takes_ids_or_a_filter() -> None:
    for wrong in ({}, {"ids": ["a"], "filter": Filter()}):
        with pytest.raises(ConfigError, match="either ids or a filter"):
            Delete(**wrong)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="operator must be one of eq, in"):
        Clause("label", "like", "a")
    with pytest.raises(ConfigError, match="1 to 255 characters"):
        Idempotency(key="", request_sha256="1" * 64)


def test_reading_and_closed_collections_are_not_written_to(data: Path) -> None:
    with Collection.open(data) as reading:
        assert not reading.writable
        with pytest.raises(CollectionError, match="opened for reading only"):
            reading.submit(put("a"))
    writing = Collection.open(data, write=True)
    assert writing.writable
    pending: list[Future[Receipt]] = [writing.submit(put(f"n{n}")) for n in range(300)]
    writing.close()
    assert all(future.done() and future.result().seq for future in pending)
    with pytest.raises(CollectionError, match="is closed"):
        writing.submit(put("a"))
    with Collection.open(data) as again:
        assert len(again.view.items) == 340


def test_many_writers_at_once_are_grouped_and_none_is_lost(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits = []
    with Collection.open(data, write=True, reached=commits.append) as collection:
        threads = [
            threading.Thread(
                target=lambda name: [
                    written(collection, put(f"{name}-{number}")) for number in range(20)
                ],
                args=(name,),
            )
            for name in "abcdefgh"
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(SECONDS)
        assert len(collection.view.items) == 40 + 160
    assert commits.count("after commit") < 120
    store = Store.open(data / "items.db", write=False)
    numbers = [row.seq for row in store.items()]
    store.close()
    assert len(set(numbers)) == 200


def media_files(data: Path) -> list[str]:
    return sorted(path.name for path in (data / "media").glob("*/*/*"))


def test_media_live_as_long_as_an_item_shows_them(
    collection: Collection, data: Path, tmp_path: Path
) -> None:
    sounds = []
    for number in range(2):
        sounds.append(tmp_path / f"{number}.wav")
        sounds[-1].write_bytes(b"RIFF0000WAVE" + bytes([number]))
    written(collection, put("a", media=sounds[0]), put("b", media=sounds[0]))
    (sha256,) = media_files(data)
    path, kind = collection.media("a")
    assert (path.name, kind) == (sha256, "audio/wav")
    written(collection, put("c", media_sha256=sha256), Delete(ids=["a"]))
    written(collection, put("b", media=sounds[1]))
    assert len(media_files(data)) == 2
    written(collection, Delete(ids=["c"]))
    assert media_files(data) == [collection.view.item("b").media_sha256]
    with pytest.raises(CollectionError, match="no media of this sha256"):
        collection.submit(put("d", media_sha256=sha256))
    assert list((data / "staging").iterdir()) == []


def eventually(holds: Callable[[], bool]) -> None:
    """Wait for what is tidied up after an acknowledgment; a hang fails."""
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_media_of_what_was_refused_do_not_stay(
    collection: Collection, data: Path, tmp_path: Path
) -> None:
    sound = tmp_path / "a.wav"
    sound.write_bytes(b"RIFF0000WAVE")
    first = Idempotency(key="k", request_sha256="1" * 64)
    written(collection, put("a"), idempotency=first)
    with pytest.raises(IdempotencyConflictError):
        written(
            collection,
            put("b", media=sound),
            idempotency=Idempotency(key="k", request_sha256="2" * 64),
        )
    with pytest.raises(CollectionError):
        collection.submit(put("b", media=sound), put("c", media_sha256="0" * 64))
    written(collection, put("b", media=sound, replace=False), put("b", replace=False))
    eventually(lambda: len(media_files(data)) == 1)
    written(collection, put("clip00", media=sound, replace=False), Delete(ids=["b"]))
    eventually(lambda: media_files(data) == [])


def test_media_that_an_interruption_left_are_swept_by_a_writer(data: Path) -> None:
    left = data / "media" / "ab" / "cd" / ("abcd" + "0" * 60)
    left.parent.mkdir(parents=True)
    left.write_bytes(b"x")
    with Collection.open(data):
        assert left.exists()
    with Collection.open(data, write=True):
        assert not left.exists()


def test_metadata_are_those_that_a_reader_would_parse(
    collection: Collection, data: Path
) -> None:
    given = {"t": (1, 2), "u": "ä", "n": None}
    written(collection, put("m", metadata=given))
    assert collection.view.item("m").metadata == json.loads(json.dumps(given))
