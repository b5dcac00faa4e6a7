"""A full disk and a failing one: refused in words, nothing lost, and no restart needed."""

from __future__ import annotations

import errno
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crossmodal.errors import StorageFullError, WritingFailedError
from crossmodal.modality import Modality
from index.collection import Collection
from index.storage.new_items import NewItem, NewVector
from index.writing.operations import Delete, Idempotency, Operation, Put, Receipt

AUDIO = Modality.AUDIO
QUERY = np.eye(1, 8, dtype=np.float32)
SECONDS = 120  # a bound for what hangs, not for what is slow
ENOUGH = 300 << 20


def put(item_id: str, **known: Any) -> Put:
    rng = np.random.default_rng(list(item_id.encode()))
    metadata = {"note": "x" * 8000}
    vectors = [NewVector(AUDIO, rng.standard_normal(8))]
    return Put(item=NewItem(id=item_id, vectors=vectors, metadata=metadata), **known)


def write(collection: Collection, *operations: Operation, **known: Any) -> Receipt:
    return collection.submit(*operations, **known).result(SECONDS)


class Disk:
    """What the disk is said to have left, in place of what it has."""

    def __init__(self) -> None:
        self.free = ENOUGH

    def __call__(self, _: Path) -> Any:
        return shutil._ntuple_diskusage(2 * ENOUGH, ENOUGH, self.free)  # type: ignore[attr-defined]


def test_below_the_reserve_only_deletions_are_written(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk()
    monkeypatch.setattr(shutil, "disk_usage", disk)
    key = Idempotency(key="k", request_sha256="1" * 64)
    with Collection.open(data, write=True) as collection:
        first = write(collection, put("a"), idempotency=key)
        disk.free = (256 << 20) - 1
        for operations in ((put("b"),), (Delete(ids=["a"]), put("b"))):
            with pytest.raises(StorageFullError, match="too little space left"):
                write(collection, *operations)
        assert "a" in collection.view.items
        assert write(collection, put("a"), idempotency=key).results == first.results
        (hits,) = collection.view.search(AUDIO, QUERY, 100)
        assert len(hits) == 41
        write(collection, Delete(ids=["a", "clip00"]))
        assert len(collection.view.items) == 39
        disk.free = 256 << 20
        write(collection, put("b"))
    with Collection.open(data) as again:
        assert {"b", "clip01"} <= set(again.view.items)
        assert "a" not in again.view.items


def test_a_full_database_costs_the_group_and_nothing_else(data: Path) -> None:
    with Collection.open(data, write=True) as collection:
        write(collection, put("a"))
        connection = collection._store._connection
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages + 4}")
        before = collection.view
        with pytest.raises(StorageFullError, match="the disk is full"):
            write(collection, *(put(f"b{n}") for n in range(20)))
        assert collection.view is before
        write(collection, Delete(ids=["a"]))
        connection.execute("PRAGMA max_page_count = 1000000")
        write(collection, *(put(f"b{n}") for n in range(20)))
        assert len(collection.view.items) == 60
    with Collection.open(data) as again:
        assert len(again.view.items) == 60


def test_media_that_do_not_fit_are_refused_before_anything_is_written(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = tmp_path / "a.wav"
    sound.write_bytes(b"RIFF0000WAVE")

    def no_space(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with Collection.open(data, write=True) as collection:
        with monkeypatch.context() as patch:
            patch.setattr("index.storage.media.os.fsync", no_space)
            with pytest.raises(StorageFullError, match="media were not kept"):
                collection.submit(put("a", media=sound))
        assert list((data / "staging").iterdir()) == []
        write(collection, put("a", media=sound))
        assert collection.media("a")[0].read_bytes() == sound.read_bytes()


class Failing(sqlite3.Connection):
    """A connection of which some statements fail, as on a broken disk."""

    broken = ""  # how these statements begin

    def execute(self, sql: str, *arguments: Any) -> sqlite3.Cursor:
        if Failing.broken and sql.startswith(Failing.broken):
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
            raise error
        return super().execute(sql, *arguments)


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> type[Failing]:
    connect = partial(sqlite3.connect, factory=Failing)
    monkeypatch.setattr("index.storage.database.sqlite3.connect", connect)
    monkeypatch.setattr(Failing, "broken", "")
    return Failing


def wait_until_failing(collection: Collection, failing: bool) -> None:
    """An acknowledgment comes before the checkpoint that may fail."""
    end = time.monotonic() + SECONDS
    while (collection.write_failure is not None) != failing:
        assert time.monotonic() < end
        time.sleep(0.001)


def test_while_syncs_fail_writes_are_refused_searches_go_on_and_then_writes_too(
    data: Path, failing: type[Failing], tmp_path: Path
) -> None:
    sound = tmp_path / "a.wav"
    sound.write_bytes(b"RIFF0000WAVE")
    with Collection.open(data, write=True) as collection:
        write(collection, put("a"))
        failing.broken = "COMMIT"
        for item_id in ("b", "c"):
            with pytest.raises(WritingFailedError, match=r"disk I/O error.*tried again"):
                write(collection, put(item_id, media=sound))
            assert "disk I/O error" in str(collection.write_failure)
        (hits,) = collection.view.search(AUDIO, QUERY, 100)
        assert len(hits) == 41
        failing.broken = ""
        write(collection, put("c"))
        assert collection.write_failure is None
        assert [path for path in (data / "media").rglob("*") if path.is_file()] == []
        assert set(collection.view.items) >= {"a", "c"}
    with Collection.open(data) as again:
        assert "a" in again.view.items
        assert "b" not in again.view.items
        assert "c" in again.view.items


def test_writing_is_tried_again_while_nobody_asks_for_it(
    data: Path, failing: type[Failing], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("index.writing.writer.RETRY_S", 0.01)
    with Collection.open(data, write=True) as collection:
        failing.broken = "COMMIT"
        with pytest.raises(WritingFailedError):
            write(collection, put("a"))
        failing.broken = ""
        wait_until_failing(collection, False)


def test_a_checkpoint_that_fails_stops_writing_until_one_does_not(
    data: Path, failing: type[Failing], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("index.writing.writer.CHECKPOINT_BYTES", 0)
    with Collection.open(data, write=True) as collection:
        failing.broken = "PRAGMA wal_checkpoint"
        write(collection, put("a"))
        wait_until_failing(collection, True)
        with pytest.raises(WritingFailedError):
            write(collection, put("b"))
        failing.broken = ""
        write(collection, put("b"))
    with Collection.open(data) as again:
        assert {"a", "b"} <= set(again.view.items)


def test_what_was_committed_and_is_not_in_the_view_needs_a_restart(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Collection.open(data, write=True) as collection:
        before = collection.view
        with monkeypatch.context() as patch:
            patch.setattr(collection._builder, "advance", None)
            with pytest.raises(WritingFailedError, match=r"TypeError.*restart"):
                write(collection, put("a"))
        with pytest.raises(WritingFailedError, match="restart"):
            write(collection, put("b"))
        assert collection.view is before
    with Collection.open(data, write=True) as again:
        assert "a" in again.view.items
        assert "b" not in again.view.items


def test_what_does_not_fit_takes_no_media_from_items_that_show_them(
    data: Path, tmp_path: Path
) -> None:
    sound = tmp_path / "a.wav"
    sound.write_bytes(b"RIFF0000WAVE")
    with Collection.open(data, write=True) as collection:
        write(collection, put("a", media=sound))
        connection = collection._store._connection
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages + 4}")
        with pytest.raises(StorageFullError):
            write(collection, *(put(f"b{n}", media=sound) for n in range(20)))
        connection.execute("PRAGMA max_page_count = 1000000")
        assert collection.media("a")[0].read_bytes() == sound.read_bytes()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 12 MiB, where this may be mounted."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=12m", "none", str(place)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("a file system cannot be mounted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.parametrize("reserve_bytes", [0, 4 << 20])
def test_on_a_disk_that_is_really_full_all_that_was_acknowledged_stays(
    data: Path, small_disk: Path, reserve_bytes: int
) -> None:
    directory = small_disk / "data"
    shutil.copytree(data, directory)
    acknowledged: list[str] = []
    with Collection.open(directory, write=True, reserve_bytes=reserve_bytes) as collection:
        for number in range(5000):
            try:
                write(collection, put(f"n{number}"))
            except StorageFullError:
                break
            acknowledged.append(f"n{number}")
        else:
            pytest.fail("the disk did not fill")
        assert len(acknowledged) > 100
        assert set(acknowledged) <= set(collection.view.items)
        (hits,) = collection.view.search(AUDIO, QUERY, 5000)
        assert len(hits) == 40 + len(acknowledged)
        if reserve_bytes:
            write(collection, Delete(ids=acknowledged[:3]))
            acknowledged = acknowledged[3:]
        subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
        write(collection, put("after"))
        collection.compact()
    with Collection.open(directory) as again:
        assert set(again.view.items) - {f"clip{n:02d}" for n in range(40)} == {
            *acknowledged,
            "after",
        }
