"""Backup: a copy made beside a writer holds one moment, whole, and can be served."""

from __future__ import annotations

import json
import shutil
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crossmodal.durable import sha256_file
from crossmodal.errors import BundleError, CollectionError
from crossmodal.modality import Modality
from index.backup import BACKUP, back_up
from index.collection import Collection
from index.storage.database import DATABASE
from index.storage.new_items import NewItem, NewVector
from index.verify import verify
from index.writing.operations import Delete, Put

SECONDS = 120  # a bound for what hangs, not for what is slow


def put(number: int, media: Path | None = None) -> Put:
    row = np.random.default_rng(number).standard_normal(8)
    item = NewItem(id=f"new{number:04}", vectors=[NewVector(Modality.AUDIO, row)])
    return Put(item=item, media=media)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip"
    path.write_bytes(b"RIFF....WAVE" + b"x" * 10_000)
    return path


def content(directory: Path) -> Any:
    with Collection.open(directory) as collection:
        view = collection.view
        queries = np.eye(3, 8, dtype=np.float32)
        return (
            view.seq,
            list(view.items.values()),
            [view.search(m, queries, 100) for m in sorted(view.shelves)],
        )


def test_a_copy_is_the_collection_and_serves_itself(data: Path, tmp_path: Path) -> None:
    made = back_up(data, tmp_path / "copy")
    assert content(tmp_path / "copy") == content(data)
    assert made.items == 40
    told = json.loads((tmp_path / "copy" / BACKUP).read_text())
    assert told["seq"] == made.seq == content(data)[0]
    assert told["database_sha256"] == sha256_file(tmp_path / "copy" / DATABASE)
    with Collection.open(tmp_path / "copy", write=True) as copy:
        copy.submit(put(1)).result(SECONDS)
        copy.compact()
    assert all(check.ok for check in verify(tmp_path / "copy"))


class Writing:
    """A collection that is written to from another thread, and what was acknowledged."""

    def __init__(self, collection: Collection, media: Path) -> None:
        self.collection = collection
        self.stored: set[str] = set()
        self._media = media
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write)

    def __enter__(self) -> Writing:
        self._thread.start()
        while len(self.stored) < 20:
            assert self._thread.is_alive()
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(SECONDS)

    def _write(self) -> None:
        number = 0
        while not self._stop.is_set():
            number += 1
            self.write(number)

    def write(self, number: int) -> None:
        """Store an item; every fifth is deleted again."""
        self.collection.submit(put(number, self._media)).result(SECONDS)
        if number % 5 == 0:
            self.collection.submit(Delete(ids=[f"new{number:04}"])).result(SECONDS)
        else:
            self.stored.add(f"new{number:04}")


def check_copy(writing: Writing, data: Path, copy: Path) -> None:
    stored, seq = set(writing.stored), writing.collection.view.seq
    made = back_up(data, copy)
    assert made.seq >= seq
    with Collection.open(copy, write=True) as opened:
        view = opened.view
        assert view.seq == made.seq
        assert stored <= set(view.items)
        assert all(item.seq <= made.seq for item in view.items.values())
        fresh = sorted(int(i[3:]) for i in view.items if i.startswith("new"))
        # a moment: nothing that was written later is there without what came before it
        assert fresh[:-1] == [n for n in range(1, fresh[-1]) if n % 5]
        opened.compact()
    assert all(check.ok for check in verify(copy))


def test_a_copy_made_beside_a_writer_holds_one_moment(
    data: Path, tmp_path: Path, clip: Path
) -> None:
    with (
        Collection.open(data, write=True) as collection,
        Writing(collection, clip) as writing,
    ):
        for number in range(4):
            check_copy(writing, data, tmp_path / f"copy{number}")
    assert not list(tmp_path.glob("*.new"))


def test_a_copy_of_the_file_alone_is_found_out(
    data: Path, tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def only_the_file(_: object, path: Path) -> None:
        shutil.copyfile(data / DATABASE, path)

    monkeypatch.setattr("index.backup.snapshot", only_the_file)
    with Collection.open(data, write=True) as collection:
        writing = Writing(collection, clip)
        for number in range(1, 10):  # too few for a checkpoint
            writing.write(number)
        with pytest.raises(AssertionError):
            check_copy(writing, data, tmp_path / "copy")


def test_what_media_the_items_show_is_copied(
    data: Path, tmp_path: Path, clip: Path
) -> None:
    with Collection.open(data, write=True) as collection:
        collection.submit(put(1, clip)).result(SECONDS)
    stray = data / "media" / "00" / "00" / ("0" * 64)
    stray.parent.mkdir(parents=True)
    stray.write_bytes(b"shown by nothing")
    made = back_up(data, tmp_path / "copy")
    assert made.media == 1
    with Collection.open(tmp_path / "copy") as copy:
        path, _ = copy.media("new0001")
        assert path.read_bytes() == clip.read_bytes()
    assert not (tmp_path / "copy" / stray.relative_to(data)).exists()


def test_damage_stops_a_backup_and_leaves_nothing_behind(
    data: Path, tmp_path: Path, clip: Path
) -> None:
    with Collection.open(data, write=True) as collection:
        collection.submit(put(1, clip)).result(SECONDS)
        path, _ = collection.media("new0001")
    path.write_bytes(b"RIFF....WAVE" + b"y" * 1000)
    with pytest.raises(CollectionError, match=r"media file .* is damaged"):
        back_up(data, tmp_path / "copy")
    shutil.copytree(data, tmp_path / "other")
    (tmp_path / "other" / "bundle" / "audio.onnx").write_bytes(b"")
    with pytest.raises(BundleError, match="audio"):
        back_up(tmp_path / "other", tmp_path / "copy")
    database = data / DATABASE
    with database.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 8192)
    with pytest.raises(CollectionError, match=r"damaged|cannot be copied"):
        back_up(data, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
    assert not (tmp_path / "copy.new").exists()


def test_what_is_there_is_not_overwritten(data: Path, tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    with pytest.raises(CollectionError, match="exists already"):
        back_up(data, tmp_path / "copy")
    with pytest.raises(CollectionError, match="no data directory"):
        back_up(tmp_path, tmp_path / "new")


def test_leftovers_of_an_interrupted_backup_are_no_hindrance(
    data: Path, tmp_path: Path
) -> None:
    (tmp_path / "copy.new").mkdir()
    (tmp_path / "copy.new" / "items.db").write_bytes(b"half")
    back_up(data, tmp_path / "copy")
    assert content(tmp_path / "copy") == content(data)
