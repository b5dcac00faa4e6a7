"""The order of writes, syncs, renames and acknowledgments, as the kernel saw it.

A killed process proves nothing about fsync: the page cache belongs to the kernel.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from index.versions.laying import lay_beside

ROOT = Path(__file__).parents[2]
WRITES = ("write", "pwrite64", "writev", "pwritev", "ftruncate")
SYNCS = ("fsync", "fdatasync")
NAMES = ("rename", "renameat", "renameat2", "mkdir", "mkdirat")
CALLS = ",".join(WRITES + SYNCS + NAMES)
LINE = re.compile(r"(?:\[pid +)?(\d+)\]? +(?:<\.\.\. )?(\w+)(.*)")
FILE = re.compile(r"<(/[^>]*)>")
QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')


class Call(NamedTuple):
    """A system call: when it began and ended, by line, and what it was about."""

    began: int
    ended: int
    name: str
    files: tuple[str, ...]


def calls(trace: Iterable[str]) -> Iterator[Call]:
    """Read strace's lines; a call that others interrupt takes two."""
    open_calls: dict[str, tuple[int, str]] = {}
    for number, line in enumerate(trace):
        found = LINE.match(line.rstrip("\n"))
        if not found:
            continue
        pid, name, rest = found.groups()
        began = number
        if rest.endswith("<unfinished ...>"):
            open_calls[pid] = (number, rest)
            continue
        if rest.startswith(" resumed>"):
            began, first = open_calls.pop(pid)
            rest = first + rest
        if re.search(r"\) += -1 E", rest):
            continue
        by_handle = name not in NAMES
        pattern = FILE if by_handle else QUOTED
        names = pattern.findall(rest)
        yield Call(began, number, name, tuple(names[:1] if by_handle else names))


def broken_promises(found: Iterable[Call], data: Path) -> list[str]:
    """Return each acknowledgment and rename that came too early.

    The promises: when something is acknowledged, every byte written to the data
    directory before is synced, and so is every directory in which a name was made; and
    what is renamed was synced before, and everything where two names change places.
    """
    wrong: list[str] = []
    unsynced: dict[str, int] = {}  # file -> line of its last write
    new_names: dict[str, int] = {}  # directory -> line at which it got a name
    ordered = sorted(found, key=lambda call: call.ended)
    for call in ordered:
        for name in call.files[:1]:
            if name.endswith("/acknowledgments"):
                wrong += [f"acknowledged before {file} was synced" for file in unsynced]
                wrong += [f"acknowledged before {d} was synced" for d in new_names]
            elif not name.startswith(str(data)) or name.endswith("-shm"):
                continue
            elif call.name in SYNCS:
                for pending in (unsynced, new_names):
                    if pending.get(name, call.began + 1) < call.began:
                        del pending[name]
            elif call.name.startswith("rename"):
                source, target = call.files
                if source in unsynced:
                    wrong.append(f"{source} was renamed before it was synced")
                new_names[str(Path(target).parent)] = call.ended
                if call.name == "renameat2":  # the two change places
                    wrong += [f"exchanged before {file} was synced" for file in unsynced]
                    new_names[str(Path(source).parent)] = call.ended
            elif call.name.startswith("mkdir"):
                new_names[str(Path(name).parent)] = call.ended
            else:
                unsynced[name] = call.ended
    wrong += [f"{directory} was never synced" for directory in new_names]
    return wrong


def strace() -> str:
    found = shutil.which("strace")
    if found is None:
        if os.environ.get("EARSHOT_CI") == "1":
            pytest.fail("strace is missing, and EARSHOT_CI=1 asks for every tool")
        pytest.skip("strace is not installed: the order of syncs was not looked at")
    return found


def traced(data: Path, tmp_path: Path) -> list[Call]:
    trace = tmp_path / "trace"
    command = [strace(), "-f", "-y", "-s", "256", "-o", str(trace), "-e", f"trace={CALLS}"]
    done = subprocess.run(
        [*command, sys.executable, "-m", "tests.index.crash.traced", str(data)],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    with trace.open() as lines:
        return list(calls(lines))


def test_nothing_is_acknowledged_or_renamed_before_it_is_synced(
    data: Path, tmp_path: Path, tiny_bundle: Callable[..., Path]
) -> None:
    lay_beside(data, tiny_bundle(seed=1))
    found = traced(data.resolve(), tmp_path)
    names = [name for call in found for name in call.files]
    assert sum(name.endswith("/acknowledgments") for name in names) == 12
    assert any(name.endswith("items.db-wal") for name in names)
    assert any(name.endswith("index/CURRENT") for name in names)
    assert any("/media/" in name for name in names)
    assert sum(call.name == "renameat2" for call in found) == 2  # bundles and index files
    assert broken_promises(found, data.resolve()) == []


@pytest.mark.parametrize(
    ("trace", "promise"),
    [
        (
            ["1 pwrite64(5</d/a>, ...) = 1\n", "1 write(6</x/acknowledgments>) = 1\n"],
            "acknowledged before /d/a was synced",
        ),
        (
            [
                "1 write(5</d/a.new>) = 1\n",
                '1 rename("/d/a.new", "/d/a") = 0\n',
                "1 fsync(7</d>) = 0\n",
            ],
            "/d/a.new was renamed before it was synced",
        ),
        (['1 rename("/d/a.new", "/d/a") = 0\n'], "/d was never synced"),
        (['1 renameat2(1, "/d/a", 1, "/d/e/a", 2) = 0\n'], "/d was never synced"),
        (
            ['1 mkdir("/d/b", 0777) = 0\n', "1 write(6</x/acknowledgments>) = 1\n"],
            "acknowledged before /d was synced",
        ),
        (
            [
                "1 fsync(5</d/a> <unfinished ...>\n",
                "2 pwrite64(5</d/a>, ...) = 1\n",
                "1 <... fsync resumed>) = 0\n",
                "1 write(6</x/acknowledgments>) = 1\n",
            ],
            "acknowledged before /d/a was synced",
        ),
    ],
)
def test_a_wrong_order_is_seen(trace: list[str], promise: str) -> None:
    assert promise in broken_promises(calls(trace), Path("/d"))


def test_a_right_order_is_let_pass() -> None:
    trace = [
        "1 write(5</d/a.new>) = 1\n",
        "1 fsync(5</d/a.new>) = 0\n",
        '1 rename("/d/a.new", "/d/a") = 0\n',
        "2 fdatasync(7</d> <unfinished ...>\n",
        '1 rename("/d/never", "/d/b") = -1 ENOENT\n',
        "2 <... fdatasync resumed>) = 0\n",
        "1 write(6</x/acknowledgments>) = 1\n",
    ]
    assert broken_promises(calls(trace), Path("/d")) == []
