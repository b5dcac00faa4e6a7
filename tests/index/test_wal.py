"""The write-ahead log: a killed process's last writes are in it, and must not vanish."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from crossmodal.errors import CollectionError
from index.collection import Collection

ROOT = Path(__file__).parents[2]
WRITES = 12
PROGRAM = f"""
import os, signal, sys
from pathlib import Path
from index.collection import Collection
from tests.index.crash.workload import operation_of
source = Path(sys.argv[1]).parent / "source"
source.mkdir()
collection = Collection.open(Path(sys.argv[1]), write=True)
for number in range(1, {WRITES} + 1):
    collection.submit(operation_of(f"w{{number}}", 3 * number, source)).result()
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def killed(data: Path) -> Path:
    """A data directory whose last writes are in the log alone."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(data)],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == -9, done.stderr
    return data


def written(data: Path, *, write: bool = True) -> int:
    with Collection.open(data, write=write, reserve_bytes=0) as collection:
        return sum(item_id.startswith("w") for item_id in collection.view.items)


def test_what_was_acknowledged_before_a_kill_is_there_and_again_after_closing(
    killed: Path,
) -> None:
    assert (killed / "WRITING").exists()
    assert written(killed, write=False) == WRITES
    assert written(killed) == WRITES
    assert not (killed / "WRITING").exists()
    assert not (killed / "items.db-wal").exists()
    assert written(killed, write=False) == WRITES


@pytest.mark.parametrize("write", [False, True])
def test_a_log_that_is_missing_is_missed(killed: Path, write: bool) -> None:
    (killed / "items.db-wal").unlink()
    (killed / "items.db-shm").unlink()
    for _ in range(2):  # and being asked again does not change the answer
        with pytest.raises(CollectionError, match=r"items\.db-wal is missing.*WRITING"):
            Collection.open(killed, write=write)
    (killed / "WRITING").unlink()
    assert written(killed) == 0


def test_a_log_that_is_not_needed_is_not_missed(data: Path) -> None:
    with Collection.open(data, write=True):
        pass
    assert not (data / "items.db-wal").exists()
    assert written(data) == 0


def frames(log: Path) -> tuple[int, int]:
    """The number of pages in a log, and how many bytes each takes with its header."""
    raw = log.read_bytes()
    (page_size,) = struct.unpack(">8xI", raw[:12])
    return (len(raw) - 32) // (page_size + 24), page_size + 24


def test_a_flip_in_the_log_is_seen_or_costs_nothing(killed: Path, tmp_path: Path) -> None:
    """Only of the last transactions a break looks like a crash; none comes back wrong."""
    log = killed / "items.db-wal"
    count, size = frames(log)
    whole = log.read_bytes()
    rng = np.random.default_rng(0)
    header = rng.integers(0, 32, 6)
    early = 32 + rng.integers(0, (count // 2) * size, 14)
    for number, position in enumerate([*header, *early]):
        copy = tmp_path / f"copy{number}"
        shutil.copytree(killed, copy)
        (copy / "items.db-shm").unlink(missing_ok=True)
        damaged = bytearray(whole)
        damaged[position] ^= 1 << int(rng.integers(8))
        (copy / "items.db-wal").write_bytes(damaged)
        with pytest.raises(CollectionError, match=r"items\.db-wal is damaged.*WRITING"):
            Collection.open(copy, write=True)
        shutil.rmtree(copy)


def test_half_of_the_last_transaction_is_what_a_crash_leaves(
    killed: Path, tmp_path: Path
) -> None:
    log = killed / "items.db-wal"
    count, size = frames(log)
    whole = log.read_bytes()
    (killed / "items.db-shm").unlink(missing_ok=True)
    log.write_bytes(whole[: 32 + (count - 1) * size + size // 2])
    assert written(killed) == WRITES - 1
