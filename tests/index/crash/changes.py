"""Kills a process at named points of long work, and lets the next one go on with it.

Run as a program, for the reasons that the harness has. Exit status 0 if every promise was
kept, 1 with the broken ones on stdout.
"""

from __future__ import annotations

import json
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from crossmodal.modality import Modality
from index.collection import Collection
from index.jobs.orders import place_order, read_orders
from index.storage.job import Job, JobState
from index.versions.beside import beside_id
from index.versions.laying import lay_beside
from index.work import ADD, DISCARD, REEMBED, SWITCH, CollectionJobs, add_params
from tests.index.crash.harness import LONGEST_ROUND_S, in_child, wait
from tests.index.crash.workload import KillAt

LAY, CANCEL = "lay", "cancel"
POINTS: Mapping[str, tuple[str, ...]] = {
    ADD: (*("order taken", "media renamed", "after commit", "work done"),),
    LAY: ("beside drafted", "beside laid"),
    REEMBED: (
        *("before commit of work", "after commit of work", "after CURRENT", "work done"),
    ),
    SWITCH: (
        *("last embedded", "before exchange", "bundles exchanged", "index exchanged"),
        *("after change", "work done"),
    ),
    DISCARD: (
        *("before commit of work", "after commit of work", "beside put away", "work done"),
    ),
    CANCEL: ("after commit of work", "beside put away"),
}
AUDIO = Modality.AUDIO
Vectors = Mapping[str, bytes]  # by item


class World(NamedTuple):
    """What a kind of work begins with, and what there should be.

    Attributes:
        before: The data directory that it begins with.
        given: What it is told: a folder, or a bundle.
        expected: Of each model's id the vectors of every item there may be.
    """

    before: Path
    given: Path
    expected: Mapping[str, Vectors]


def vectors_of(directory: Path) -> tuple[str, Vectors]:
    """Return the model that a data directory serves, and what it makes of each item."""
    with Collection.open(directory) as collection:
        view = collection.view
        return view.model_id, {i: view.vectors(i, AUDIO).tobytes() for i in view.items}


def begin(kind: str, data: Path, world: World, reached: Callable[[str], None]) -> None:
    """Do work of a kind until it ends."""
    if kind == LAY:
        lay_beside(data, world.given, reached)
        return
    if kind == ADD:
        place_order(data, ADD, add_params(world.given))
    with ExitStack() as stack:
        collection = stack.enter_context(
            Collection.open(data, write=True, reserve_bytes=0, reached=reached)
        )
        if kind == CANCEL:
            cancelled = Job(
                id="a", kind=REEMBED, state=JobState.CANCELLING, updated=1.0, params={}
            )
            collection.keep_job(cancelled)
        jobs = CollectionJobs(collection)
        stack.callback(jobs.close)
        if kind not in (ADD, CANCEL):
            jobs.start(kind)
        await_end(jobs)


def await_end(jobs: CollectionJobs) -> list[Job]:
    """Wait until there is a job and every job has ended."""
    while not (found := jobs.all()) or not all(job.state.ended for job in found):
        time.sleep(0.005)
    return found


def go_on(kind: str, data: Path, world: World) -> list[str]:
    """Open what a killed process left, let its work end, and return what is wrong."""
    if kind == LAY:
        laid = lay_beside(data, world.given)
        with Collection.open(data, write=True) as collection:
            wrong = list(unsound(collection, world))
        return wrong + ([] if beside_id(data) == laid.model_id else ["it is not laid"])
    served: list[Collection] = []
    with Collection.open(data, write=True, reserve_bytes=0) as collection:
        wrong = [f"at opening: {text}" for text in unsound(collection, world)]
        jobs = CollectionJobs(collection, served.append)
        ended = await_end(jobs)
        jobs.close()
        wrong += unsound(served[-1] if served else collection, world)
        rows = stored(collection)
    (state,) = {job.state for job in ended}
    wanted = JobState.CANCELLED if kind == CANCEL else JobState.DONE
    if len(ended) > 1 or state is not wanted:
        wrong.append(f"it came to {[(job.kind, job.state, job.error) for job in ended]}")
    return wrong + list(unfinished(kind, data, world, rows))


def stored(collection: Collection) -> dict[str, list[tuple[str, bytes]]]:
    """Return every row of vectors, by model: the item and the bytes."""
    rows: dict[str, list[tuple[str, bytes]]] = {}
    with collection.open_beside_writer() as store:
        found = store.connection.execute("SELECT model_id, item_id, vec FROM vectors")
        for model_id, item_id, raw in found:
            rows.setdefault(model_id, []).append((item_id, raw))
    return rows


def unsound(collection: Collection, world: World) -> Iterator[str]:
    """Say what no moment may show."""
    view, directory = collection.view, collection.directory
    first = vectors_of(world.before)[1]
    if not first.keys() <= view.items.keys():
        yield "items are lost"
    expected = world.expected[view.model_id]
    for item_id in view.items:
        if view.vectors(item_id, AUDIO).tobytes() != expected.get(item_id):
            yield f"{item_id} has other vectors than the model served makes"
    for model_id, rows in stored(collection).items():
        if len({item_id for item_id, _ in rows}) < len(rows):
            yield "an item has its vectors twice"
        if any(raw != world.expected[model_id].get(i) for i, raw in rows):
            yield "a stored vector is not what its model makes"
    if collection.degraded is not None or list((directory / "index").glob("*.bad*")):
        yield f"the index files did not survive: {collection.degraded}"
    if list((directory / "staging").iterdir()) or list(directory.glob(".beside*")):
        yield "a draft is left"
    kept = {path.name for path in (directory / "media").glob("*/*/*")}
    if kept != {item.media_sha256 for item in view.items.values()}:
        yield "media kept and media shown differ"


def unfinished(
    kind: str, data: Path, world: World, rows: Mapping[str, list[tuple[str, bytes]]]
) -> Iterator[str]:
    """Say what is lacking once the work has ended."""
    old, first = vectors_of(world.before)
    model, found = vectors_of(data)
    every = {model_id: dict(vectors) for model_id, vectors in rows.items()}
    if list(read_orders(data)):
        yield "the order is left"
    if kind == ADD:
        if found != world.expected[old]:
            yield "not all was added"
    elif kind == SWITCH:
        if model == old or beside_id(data) != old or every != world.expected:
            yield "the models did not change places"
    elif kind == REEMBED:
        if model != old or every != world.expected:
            yield "not all is embedded"
    elif every != {old: first} or (data / "beside").exists():
        yield "something is left of the other model"


def one_kill(kind: str, point: str, world: World, place: Path) -> list[str]:
    """Kill a process at a point, and return what is wrong after the next one."""
    data, report = place / "data", place / "report.json"
    shutil.copytree(world.before, data)
    pid = in_child(lambda: begin(kind, data, world, KillAt(point, 1)))
    if (status := wait(pid, LONGEST_ROUND_S)) != -signal.SIGKILL:
        return [f"it was not reached: status {status}"]
    pid = in_child(lambda: report.write_text(json.dumps(go_on(kind, data, world))))
    wait(pid, LONGEST_ROUND_S)
    if not report.exists():
        return ["what is left could not be gone on with"]
    wrong: list[str] = json.loads(report.read_text())
    return wrong


def main() -> int:
    """Kill work of a kind at each of its points.

    The arguments: the kind, the directory that it begins with, what it is told, an empty
    directory, and data directories that show what each model makes of each item.
    """
    kind, before, given, place, *made = sys.argv[1:]
    expected = dict(vectors_of(Path(directory)) for directory in made)
    world = World(Path(before), Path(given), expected)
    failed = False
    for number, point in enumerate(POINTS[kind]):
        room = Path(place) / str(number)
        room.mkdir()
        for text in one_kill(kind, point, world, room):
            failed = True
            print(f"{point}: {text}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
