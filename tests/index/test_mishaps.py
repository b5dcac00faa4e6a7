"""What an operator meets: a volume that is only read, and a clock that jumps."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from crossmodal.errors import CollectionError
from crossmodal.modality import Modality
from index.collection import Collection
from index.storage.new_items import NewItem, NewVector
from index.writing.operations import Delete, Idempotency, Operation, Put, Receipt

AUDIO, VISUAL = Modality.AUDIO, Modality.VISUAL
QUERIES = np.eye(3, 8, dtype=np.float32)
SECONDS = 120  # a bound for what hangs, not for what is slow
DAY_S = 24 * 3600.0


def answers(collection: Collection) -> list[object]:
    return [collection.view.search(m, QUERIES, 100) for m in (AUDIO, VISUAL)]


def put(item_id: str) -> Put:
    row = np.random.default_rng(list(item_id.encode())).standard_normal(8)
    return Put(item=NewItem(id=item_id, vectors=[NewVector(AUDIO, row)]))


def write(collection: Collection, *operations: Operation, key: str = "") -> Receipt:
    known = Idempotency(key=key, request_sha256="1" * 64) if key else None
    return collection.submit(*operations, idempotency=known).result(SECONDS)


@pytest.fixture
def volume(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, where one may be mounted."""
    place = tmp_path / "volume"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=32m", "none", str(place)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a file system cannot be mounted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_volume_that_is_only_read_is_served_and_not_written_to(
    data: Path, volume: Path
) -> None:
    with Collection.open(data) as collection:
        expected = answers(collection)
    shutil.copytree(data, volume / "data")
    subprocess.run(["mount", "-o", "remount,ro", str(volume)], check=True)
    with Collection.open(volume / "data") as collection:
        assert answers(collection) == expected
    with pytest.raises(CollectionError, match="Read-only file system"):
        Collection.open(volume / "data", write=True)
    subprocess.run(["mount", "-o", "remount,rw", str(volume)], check=True)
    with Collection.open(volume / "data", write=True, reserve_bytes=0) as collection:
        write(collection, put("a"))
        assert "a" in collection.view.items


def jump(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write while the clock goes back and forth by days, and look at what is there."""
    now = SimpleNamespace(time_s=1.8e9)
    clock = SimpleNamespace(time=lambda: now.time_s)
    monkeypatch.setattr("index.writing.group.time", clock)
    with Collection.open(data, write=True) as collection:
        seqs = [write(collection, put("first"), key="k").seq]
        for days in (-1, 2, -3, 4):
            now.time_s += days * DAY_S
            seqs.append(write(collection, put(f"after{days}"), Delete(ids=["first"])).seq)
        assert seqs == sorted(set(seqs))
        now.time_s = 1.8e9 - DAY_S  # a key is known for a day, and longer going back
        assert write(collection, put("first"), key="k").replayed
        assert "first" not in collection.view.items
        collection.compact()
        before = answers(collection)
        assert collection.view.sizes == {AUDIO: 44, VISUAL: 40}
    with Collection.open(data, write=True) as again:
        assert again.degraded is None
        assert answers(again) == before


def test_a_clock_that_jumps_loses_nothing_and_does_nothing_twice(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jump(data, monkeypatch)


def test_a_writer_that_forgets_keys_when_the_clock_goes_back_is_found_out(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("index.writing.group.KEY_LIFETIME_S", -2 * DAY_S)
    with pytest.raises(AssertionError, match="replayed"):
        jump(data, monkeypatch)
