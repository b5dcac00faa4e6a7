from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from crossmodal.durable import write_json
from crossmodal.errors import (
    BundleError,
    CollectionError,
    CollectionLockedError,
    ModelMismatchError,
    UnknownItemError,
)
from crossmodal.modality import Modality
from index.collection import Collection
from index.storage.new_items import NewItem, NewVector
from index.storage.store import Store

AUDIO, VISUAL = Modality.AUDIO, Modality.VISUAL
QUERIES = np.eye(3, 8, dtype=np.float32)

Answers = list[object]


def answers(collection: Collection) -> Answers:
    view = collection.view
    return [view.search(m, QUERIES, 50, offset=0) for m in (AUDIO, VISUAL)]


def add_item(data: Path, item_id: str, modality: str = "audio", model: str = "") -> None:
    with Collection.open(data) as collection:
        model_id = model or collection.bundle.model_id
    store = Store.open(data / "items.db", write=True)
    vector = NewVector(modality, np.eye(1, 8)[0])
    store.add(
        [NewItem(id=item_id, vectors=[vector])], model_id=model_id, dim=8, created=0.0
    )
    store.close()


@pytest.mark.parametrize("write", [False, True])
def test_a_fresh_collection_opens_without_touching_its_index(
    data: Path, write: bool
) -> None:
    before = {path: path.stat().st_mtime_ns for path in (data / "index").iterdir()}
    with Collection.open(data, write=write) as collection:
        assert collection.degraded is None
        assert collection.view.sizes == {AUDIO: 40, VISUAL: 40}
        assert collection.view.seq == 120
    assert {p: p.stat().st_mtime_ns for p in (data / "index").iterdir()} == before


def test_one_writer_excludes_all_others_and_readers_exclude_writers(data: Path) -> None:
    with Collection.open(data, write=True):
        for write in (False, True):
            with pytest.raises(CollectionLockedError, match="in use by another process"):
                Collection.open(data, write=write)
    with Collection.open(data), Collection.open(data):
        with pytest.raises(CollectionLockedError):
            Collection.open(data, write=True)
    with Collection.open(data, write=True):
        pass


def test_the_lock_holds_between_processes_and_ends_with_its_holder(data: Path) -> None:
    program = (
        "import sys, pathlib\n"
        "from index.storage.lock import DirectoryLock\n"
        "held = DirectoryLock(pathlib.Path(sys.argv[1]), write=True)\n"
        "print('held', flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(data)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(CollectionLockedError):
            Collection.open(data)
        holder.kill()
    with Collection.open(data):
        pass


def test_a_failed_opening_gives_the_lock_back(data: Path) -> None:
    manifest = data / "bundle" / "manifest.json"
    whole = manifest.read_bytes()
    manifest.write_bytes(b"{}")
    with pytest.raises(BundleError):
        Collection.open(data, write=True)
    manifest.write_bytes(whole)
    with Collection.open(data, write=True):
        pass


def test_a_bundle_that_did_not_make_the_vectors_is_refused_by_name(
    data: Path, tiny_bundle: Callable[..., Path]
) -> None:
    with Collection.open(data) as collection:
        own = collection.bundle.model_id
    shutil.rmtree(data / "bundle")
    shutil.copytree(tiny_bundle(seed=1), data / "bundle")
    for write in (False, True):
        with pytest.raises(ModelMismatchError, match=f"model id [0-9a-f]{{64}}.*{own}"):
            Collection.open(data, write=write)
    assert not list((data / "index").glob("*.bad*"))


def break_current(index: Path) -> None:
    (index / "CURRENT").write_bytes(b'{"format": 1')


def forge_model(index: Path) -> None:
    value = json.loads((index / "CURRENT").read_text())
    write_json(index / "CURRENT", value | {"model_id": "0" * 64})


def forge_later_seq(index: Path) -> None:
    value = json.loads((index / "CURRENT").read_text())
    write_json(index / "CURRENT", value | {"seq": value["seq"] + 1})


def forge_earlier_seq(index: Path) -> None:
    value = json.loads((index / "CURRENT").read_text())
    write_json(index / "CURRENT", value | {"seq": value["seq"] - 2})


def swap_modalities(index: Path) -> None:
    value = json.loads((index / "CURRENT").read_text())
    bases = value["bases"]
    bases["audio"], bases["visual"] = bases["visual"], bases["audio"]
    write_json(index / "CURRENT", value)


def drop_modality(index: Path) -> None:
    value = json.loads((index / "CURRENT").read_text())
    del value["bases"]["visual"]
    write_json(index / "CURRENT", value)


def forge_dim(index: Path) -> None:
    value = json.loads((index / "CURRENT").read_text())
    value["bases"]["visual"]["dim"] = 9
    write_json(index / "CURRENT", value)


def lose_current(index: Path) -> None:
    (index / "CURRENT").unlink()


def lose_base(index: Path) -> None:
    next(index.glob("base-visual-*")).unlink()


def flip_base(index: Path) -> None:
    path = next(index.glob("base-audio-*"))
    raw = bytearray(path.read_bytes())
    raw[-9] ^= 1
    path.write_bytes(raw)


def cut_base(index: Path) -> None:
    path = next(index.glob("base-audio-*"))
    os.truncate(path, path.stat().st_size // 2)


def base_is_a_link(index: Path) -> None:
    path = next(index.glob("base-audio-*"))
    path.symlink_to(path.rename(index / "elsewhere"))


def base_is_a_directory(index: Path) -> None:
    path = next(index.glob("base-audio-*"))
    path.unlink()
    path.mkdir()


def lose_the_index(index: Path) -> None:
    shutil.rmtree(index)


DAMAGES = [
    *(break_current, forge_model, forge_later_seq, forge_earlier_seq, swap_modalities),
    *(drop_modality, forge_dim, lose_current, lose_base, flip_base, cut_base),
    *(base_is_a_link, base_is_a_directory, lose_the_index),
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_any_damage_of_the_index_is_noticed_survived_and_repaired_by_a_writer(
    data: Path, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    with Collection.open(data) as collection:
        expected = answers(collection)
    damage(data / "index")
    state = sorted((data / "index").glob("*"))
    with caplog.at_level(logging.WARNING), Collection.open(data) as collection:
        assert collection.degraded
        assert answers(collection) == expected
    assert sorted((data / "index").glob("*")) == state
    caplog.clear()
    with Collection.open(data, write=True) as collection:
        assert answers(collection) == expected
    assert "searching the store instead" in caplog.text
    assert "index rebuilt from the store" in caplog.text
    caplog.clear()
    with Collection.open(data, write=True) as collection:
        assert collection.degraded is None
        assert answers(collection) == expected
    assert not caplog.records


def test_every_flip_of_current_is_survived(data: Path) -> None:
    with Collection.open(data) as collection:
        expected = answers(collection)
    current = data / "index" / "CURRENT"
    whole = current.read_bytes()
    rng = np.random.default_rng(0)
    noticed = 0
    for position in rng.choice(len(whole), size=40, replace=False):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << int(rng.integers(8))
        current.write_bytes(damaged)
        with Collection.open(data) as collection:
            assert answers(collection) == expected
            noticed += collection.degraded is not None
    assert noticed >= 30  # the others changed nothing but the layout


def test_a_damaged_file_is_set_aside_not_deleted(data: Path) -> None:
    damaged = next((data / "index").glob("base-audio-*"))
    flip_base(data / "index")
    raw = damaged.read_bytes()
    with Collection.open(data, write=True):
        pass
    assert damaged.with_name(damaged.name + ".bad").read_bytes() == raw


def test_items_newer_than_the_base_are_found_beside_it(data: Path) -> None:
    add_item(data, "fresh")
    with Collection.open(data) as collection:
        assert collection.degraded is None
        assert collection.view.seq == 122
        assert collection.view.sizes == {AUDIO: 41, VISUAL: 40}
        (hits,) = collection.view.search(AUDIO, QUERIES[:1], 41)
        assert (hits[0].item_id, hits[0].score) == ("fresh", 1.0)
        assert len(hits) == 41
        assert collection.view.item("fresh").modalities == (AUDIO,)


def test_items_deleted_after_the_base_was_made_are_not_found(data: Path) -> None:
    store = Store.open(data / "items.db", write=True)
    store._connection.execute("DELETE FROM items WHERE id = 'clip07'")
    store.close()
    with Collection.open(data) as collection:
        assert collection.degraded is None
        assert collection.view.sizes == {AUDIO: 39, VISUAL: 39}
        for modality in (AUDIO, VISUAL):
            for hits in collection.view.search(modality, QUERIES, 100):
                assert len(hits) == 39
                assert "clip07" not in {hit.item_id for hit in hits}
        with pytest.raises(UnknownItemError):
            collection.view.vectors("clip07", AUDIO)


def test_vectors_this_build_cannot_serve_are_kept_counted_and_not_served(
    data: Path,
) -> None:
    add_item(data, "smelly", modality="smell")
    add_item(data, "worded", modality="text")
    add_item(data, "older", model="0" * 64)
    with Collection.open(data, write=True) as collection:
        view = collection.view
        assert view.unserved == {"smell": 1, "text": 1, "audio": 1}
        assert view.sizes == {AUDIO: 40, VISUAL: 40}
        assert view.item("smelly").modalities == ()
        assert collection.info()["unserved"] == {"smell": 1, "text": 1, "audio": 1}
    store = Store.open(data / "items.db", write=False)
    assert {group.modality for group in store.groups()} == {
        "audio",
        "smell",
        "text",
        "visual",
    }


def test_a_damaged_vector_stops_a_rebuild_instead_of_being_served(data: Path) -> None:
    store = Store.open(data / "items.db", write=True)
    store._connection.execute("UPDATE vectors SET crc = crc + 1 WHERE seq = 1")
    store.close()
    lose_current(data / "index")
    with pytest.raises(CollectionError, match=r"vector 1 \(audio\) is damaged"):
        Collection.open(data, write=True)


def test_the_version_names_the_content(data: Path, tmp_path: Path) -> None:
    shutil.copytree(data, tmp_path / "copy")
    with Collection.open(data) as one, Collection.open(tmp_path / "copy") as two:
        assert one.view.version == two.view.version
        before = one.view.version
    lose_current(data / "index")
    with Collection.open(data) as collection:
        assert collection.view.version == before
    add_item(data, "fresh")
    with Collection.open(data) as collection:
        assert collection.view.version != before


def test_what_is_no_data_directory_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(CollectionError, match=r"no data directory.*python -m index build"):
        Collection.open(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_staging_is_emptied_by_a_writer_only(data: Path) -> None:
    left = data / "staging" / "half"
    left.write_text("half")
    with Collection.open(data):
        assert left.exists()
    with Collection.open(data, write=True):
        assert not left.exists()


def test_a_read_only_directory_can_be_read(data: Path) -> None:
    with Collection.open(data) as collection:
        expected = answers(collection)
    for path in (data, *data.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        with Collection.open(data) as collection:
            assert answers(collection) == expected
    finally:
        for path in (data, *data.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
