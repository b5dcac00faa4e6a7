"""Memory: what was freed goes back, and a service loads nothing that a search needs not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from service.threads import THREAD_VARIABLES

ROOT = Path(__file__).parents[2]
MIB = 2**20
RESIDENT = """
import sys
from crossmodal import memory

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096
"""
# every fourth block stays, so that the heap cannot simply be cut off
BETWEEN = """
blocks = [bytes(4 << 10) for _ in range(16 << 10)]
kept = blocks[::4]
del blocks
before = resident()
if sys.argv[1] == "give back":
    memory.give_back()
print(before - resident())
"""
# once a block of 24 MiB was freed, glibc keeps the next such one
LARGE = """
if sys.argv[1] == "keep little":
    memory.keep_little()
for _ in range(3):
    block = bytearray(24 << 20)
    del block
print(resident())
"""


def run(code: str, *arguments: str) -> list[int]:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [int(number) for number in done.stdout.split()]


def test_what_lies_between_others_is_given_back() -> None:
    (given,) = run(RESIDENT + BETWEEN, "give back")
    (unasked,) = run(RESIDENT + BETWEEN, "nothing")
    assert given > 16 * MIB > MIB > unasked


def test_large_blocks_are_not_kept() -> None:
    (little,) = run(RESIDENT + LARGE, "keep little")
    (otherwise,) = run(RESIDENT + LARGE, "nothing")
    assert little + 16 * MIB < otherwise


def test_what_a_search_needs_not_is_not_loaded() -> None:
    code = """
import sys
from service.app import create_app
from service.settings import Settings
create_app(Settings())
names = ("scipy", "h5py", "onnxruntime", "av", "pydantic.v1", "faiss")
print(*(int(name in sys.modules) for name in names))
"""
    assert run(code) == [0, 0, 0, 0, 0, 1]


@pytest.mark.parametrize(("variables", "threads"), [({}, 1), ({"OMP_NUM_THREADS": "3"}, 3)])
def test_what_computes_is_loaded_after_its_threads_were_settled(
    variables: dict[str, str], threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in THREAD_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    code = """
import sys
import service.__main__
assert not {"numpy", "faiss"} & sys.modules.keys()
service.__main__.use_one_thread_per_call()
import numpy
import faiss
from threadpoolctl import threadpool_info
blas = [one["num_threads"] for one in threadpool_info() if "numpy" in one["filepath"]]
print(faiss.omp_get_max_threads(), *blas)
"""
    assert run(code) == [threads, 1]
