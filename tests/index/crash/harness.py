"""Kills a writing process again and again and compares what is left with its own log.

Run as a program: it forks what it kills, so that nothing has to be imported twice. Exit
status 0 if every promise was kept, 1 with the broken ones on stdout.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import signal
import sqlite3
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from index.collection import Collection
from tests.index.crash import workload
from tests.index.crash.workload import MODALITIES, Version

LONGEST_OPENING_S = 5.0
LONGEST_ROUND_S = 300.0
MOST_QUERIES = 100
MOST_LINES = 100


@dataclass
class History:
    """What a store may hold: of each id the versions that are possible."""

    base: list[str]
    possible: dict[str, set[Version]] = field(default_factory=dict)
    pending: dict[str, dict[str, Any]] = field(default_factory=dict)
    last_seq: int = 0
    acknowledged: int = 0

    def read(self, log: Path) -> list[str]:
        """Take in what a process said; return what it was told wrongly."""
        wrong: list[str] = []
        retried = self.pending
        self.pending = {}
        numbers: list[int] = []
        for line in map(json.loads, log.read_text().splitlines()):
            if line["event"] == "sent":
                self.pending[str(line["client"])] = line
                self.possible.setdefault(line["id"], {None}).add(line["version"])
            elif line["event"] == "acknowledged":
                client = str(line["client"])
                before = retried.pop(client, None)
                if before is not None and before["key"] == line["key"]:
                    wrong += _retry_answers(before, line)
                elif line["replayed"]:
                    wrong.append(f"a first submission was answered as a replay: {line}")
                self.possible[line["id"]] = {line["version"]}
                del self.pending[client]
                if not line["replayed"] and line["status"] != "missing":
                    numbers.append(line["seq"])
                self.acknowledged += 1
        for client, before in retried.items():  # killed before it came to be retried
            self.pending.setdefault(client, before)
        if len(set(numbers)) != len(numbers):
            wrong.append("two writes were given one number")
        self.last_seq = max([self.last_seq, *numbers])
        return wrong

    def settle(self, found: dict[str, Version]) -> None:
        """Take what was found after a restart for what is: it must stay so."""
        for item_id in self.possible:
            self.possible[item_id] = {found.get(item_id)}
        for before in self.pending.values():
            before["visible"] = found.get(before["id"]) == before["version"]


def _retry_answers(before: dict[str, Any], line: dict[str, Any]) -> list[str]:
    if before["version"] is not None and before["visible"] != line["replayed"]:
        seen = "was" if before["visible"] else "was not"
        return [f"a submission that {seen} stored came again and was answered: {line}"]
    return []


def examine(data: Path, history: History) -> tuple[list[str], dict[str, Version]]:
    """Open what is left and return what is wrong with it, and the version of each id."""
    before_s = time.process_time()
    with Collection.open(data, write=True, reserve_bytes=0) as collection:
        worked_s = time.process_time() - before_s
        wrong = list(_opening(collection, worked_s, data, history))
        found: dict[str, Version] = {}
        for item in collection.view.items.values():
            if item.id in history.base:
                continue
            found[item.id] = item.metadata.get("version")
            wrong += _item(collection, item.id, found[item.id], history)
        for item_id, versions in history.possible.items():
            if item_id not in found and None not in versions:
                wrong.append(f"{item_id} is lost; it was acknowledged as {versions}")
        wrong += _answers(collection, found, history)
    wrong += _rows(data, found, history)
    return wrong, found


def _opening(
    collection: Collection, worked_s: float, data: Path, history: History
) -> Iterator[str]:
    if worked_s > LONGEST_OPENING_S:
        yield f"opening took {worked_s:.1f} s of the processor"
    if collection.degraded:
        yield f"the index files did not survive: {collection.degraded}"
    if list((data / "index").glob("*.bad*")):
        yield "an index file was damaged"
    if collection.view.seq < history.last_seq:
        yield f"the view is of {collection.view.seq}, {history.last_seq} was acknowledged"
    if list((data / "staging").iterdir()):
        yield "something is left in staging"
    shown = {i.media_sha256 for i in collection.view.items.values() if i.media_sha256}
    kept = {path.name for path in (data / "media").glob("*/*/*")}
    if shown != kept:
        yield f"media kept and media shown differ: {shown ^ kept}"


def _item(
    collection: Collection, item_id: str, version: Version, history: History
) -> Iterator[str]:
    if item_id not in history.possible:
        yield f"{item_id} was never sent"
        return
    if version not in history.possible[item_id]:
        yield f"{item_id} is {version}, expected one of {history.possible[item_id]}"
    if version is None:
        return
    for modality in MODALITIES:
        expected = workload.vectors_of(item_id, version, modality)
        if not np.array_equal(collection.view.vectors(item_id, modality), expected):
            yield f"{item_id} has other {modality} vectors than version {version}"
    media = workload.media_of(item_id, version)
    if media is None:
        if collection.view.item(item_id).media_sha256 is not None:
            yield f"{item_id} shows media of another version"
    elif not (collection.directory / "media" / _place(media)).is_file():
        yield f"the media of {item_id} are gone"
    elif collection.media(item_id)[0].read_bytes() != media:
        yield f"{item_id} has other media than version {version}"


def _place(media: bytes) -> str:
    sha256 = hashlib.sha256(media).hexdigest()
    return f"{sha256[:2]}/{sha256[2:4]}/{sha256}"


def _answers(
    collection: Collection, found: dict[str, Version], history: History
) -> Iterator[str]:
    stored = sorted([*history.base, *found])
    view = collection.view
    for modality in MODALITIES:
        vectors = {
            item_id: workload.vectors_of(item_id, version, modality)[:1]
            for item_id, version in list(found.items())[:MOST_QUERIES]
            if version is not None
        }
        for item_id, query in vectors.items():
            (hits,) = view.search(modality, query, 1)
            if [hit.item_id for hit in hits] != [item_id]:
                yield f"{item_id} does not find itself by {modality}"
        query = np.eye(1, workload.DIM, dtype=np.float32)
        (hits,) = view.search(modality, query, len(stored) + 10)
        if sorted(hit.item_id for hit in hits) != stored:
            yield f"a search of all {modality} misses, repeats or invents items"


def _rows(data: Path, found: dict[str, Version], history: History) -> Iterator[str]:
    expected = {item_id: 2 for item_id in history.base} | {
        item_id: 2 * (1 + version % 2)
        for item_id, version in found.items()
        if version is not None
    }
    with closing(sqlite3.connect(data / "items.db")) as connection:
        counted = dict(
            connection.execute("SELECT item_id, count(*) FROM vectors GROUP BY item_id")
        )
        logged = dict(
            connection.execute("SELECT seq, id FROM log UNION SELECT seq, id FROM items")
        )
        unlogged = connection.execute(
            "SELECT count(*) FROM items WHERE seq > (SELECT min(seq) FROM log) "
            "AND seq NOT IN (SELECT seq FROM log)"
        ).fetchone()[0]
    if counted != expected:
        yield "the database holds vectors that no item should have, or lacks some"
    if unlogged or len(logged) == 0:
        yield f"{unlogged} items have no row in the log"


def in_child(work: Callable[[], Any]) -> int:
    """Run work in a forked process and return its id."""
    pid = os.fork()
    if pid:
        return pid
    try:
        work()
    except BaseException:
        traceback.print_exc()
        os._exit(70)
    os._exit(0)


def wait(pid: int, seconds: float) -> int | None:
    """Return how a process ended, or None if it goes on."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    return None


def kill_at_random(pid: int, log: Path, rng: random.Random) -> str | None:
    """Kill a process some time after it has said so many lines.

    By lines, since how much it does in a second depends on what else the machine does.
    """
    deadline = time.monotonic() + LONGEST_ROUND_S
    lines = rng.randint(MOST_LINES // 20, MOST_LINES)
    ended = None
    while not (log.exists() and log.read_bytes().count(b"\n") >= lines):
        if ended is not None or time.monotonic() > deadline:
            return f"the process did not come to say {lines} lines"
        ended = wait(pid, 0.002)
    if ended is not None:
        return None
    time.sleep(rng.uniform(0, 0.02))
    os.kill(pid, signal.SIGKILL)
    wait(pid, LONGEST_ROUND_S)
    return None


def one_round(
    data: Path, history: History, number: int, seed: int, point: str
) -> list[str]:
    """Let a process write, end it, and return what was wrong afterwards."""
    rng = random.Random(f"{seed} {number} {point}")
    log = data.parent / f"log-{number}"
    times = rng.randint(1, 3)

    def write() -> None:
        reached = workload.KillAt(point, times)
        if point:
            workload.watch_files(reached)
        workload.run(
            data, log, seed=seed * 1000 + number, pending=history.pending, reached=reached
        )

    pid = in_child(write)
    problem = None
    if not point:
        problem = kill_at_random(pid, log, rng)
    else:
        status = wait(pid, LONGEST_ROUND_S)
        if status != -signal.SIGKILL:
            problem = f"{point!r} was not reached {times} times: status {status}"
            if status is None:
                os.kill(pid, signal.SIGKILL)
                wait(pid, LONGEST_ROUND_S)
    wrong = [problem] if problem else []
    if log.exists():
        wrong += history.read(log)
    report = data.parent / "report.json"
    report.unlink(missing_ok=True)

    def look() -> None:
        report.write_text(json.dumps(examine(data, history)))

    pid = in_child(look)
    if wait(pid, LONGEST_ROUND_S) is None:
        os.kill(pid, signal.SIGKILL)
    if not report.exists():
        return [*wrong, "what is left could not be examined"]
    more, found = json.loads(report.read_text())
    history.settle(found)
    return wrong + more


def main() -> int:
    """Run the rounds asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--point", action="append", default=[])
    chosen = parser.parse_args()
    with Collection.open(chosen.data) as collection:
        history = History(list(collection.view.items))
    points = [p for p in chosen.point for _ in range(chosen.rounds)] or [""] * chosen.rounds
    started = time.monotonic()
    for number, point in enumerate(points):
        wrong = one_round(chosen.data, history, number, chosen.seed, point)
        if wrong:
            print(f"round {number} {point}", *wrong[:10], sep="\n  ")
            return 1
    took_s = time.monotonic() - started
    print(f"{len(points)} rounds, {history.acknowledged} acknowledged, {took_s:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
