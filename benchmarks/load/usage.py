"""What a process holds: memory, descriptors, threads, children, and files it left."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

MIB = 2**20
PROC = Path("/proc")


@dataclass(frozen=True)
class Usage:
    """A process and its descendants, at one moment."""

    rss_mib: float
    descriptors: int
    threads: int
    children: int
    files: int

    @property
    def counts(self) -> dict[str, int]:
        """Everything that should come back to what it was."""
        return {name: count for name, count in asdict(self).items() if name != "rss_mib"}


def usage(pid: int, folders: Sequence[Path]) -> Usage:
    """Return what a process holds now, and how many files lie in its temporary folders.

    Raises:
        OSError: If it has ended.
    """
    process = PROC / str(pid)
    lines = (process / "status").read_text().splitlines()
    status = dict(line.split(":", 1) for line in lines if ":" in line)
    return Usage(
        rss_mib=int(status["VmRSS"].split()[0]) / 1024,
        descriptors=sum(1 for _ in (process / "fd").iterdir()),
        threads=int(status["Threads"]),
        children=len(descendants(pid)),
        files=sum(path.is_file() for folder in folders for path in folder.rglob("*")),
    )


def descendants(pid: int) -> set[int]:
    """Return the processes that descend from one."""
    parents = {}
    for folder in PROC.iterdir():
        if folder.name.isdigit():
            try:
                stat = (folder / "stat").read_text()
            except OSError:  # ended meanwhile
                continue
            parents[int(folder.name)] = int(stat.rpartition(")")[2].split()[1])
    found: set[int] = set()
    new = {pid}
    while new:
        new = {child for child, parent in parents.items() if parent in new} - found
        found |= new
    return found


def settled(
    look: Callable[[], Usage], like: Usage | None, within: int, seconds: float
) -> Usage:
    """Wait until nothing changes any more, or is as it was; return what is then held.

    Args:
        look: Tells what is held now.
        like: What it should come back to; None to wait until two looks agree.
        within: By how much each count may differ.
        seconds: How long to wait at most.
    """
    deadline = time.monotonic() + seconds
    now = look()
    while time.monotonic() < deadline:
        before, now = now, (time.sleep(0.5), look())[1]
        if like is None:
            if before.counts == now.counts:
                break
        elif all(abs(now.counts[n] - count) <= within for n, count in like.counts.items()):
            break
    return now


def slope_per_minute(times_s: Sequence[float], values: Sequence[float]) -> float:
    """Return the least-squares slope of values over time, per minute."""
    if len(times_s) < 2:
        return 0.0
    return float(60 * np.polyfit(times_s, values, 1)[0])
