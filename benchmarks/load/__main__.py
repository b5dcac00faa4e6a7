"""``python -m benchmarks load``: what the service bears, and how it compares."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Collection
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.load.parts import PARTS, Run
from benchmarks.load.peers.catalog import PEERS
from benchmarks.load.peers.driver import prepare as prepare_peer
from benchmarks.load.peers.environment import PeerError
from benchmarks.load.report import OUT, Report
from benchmarks.load.scale import Scale, Vectors
from benchmarks.vector_collection import write_collection

EVERY_PART, EVERY_PEER = ",".join(PARTS), ",".join(PEERS)


def main(
    parts: Annotated[str, typer.Option(help="Which parts, by name.")] = EVERY_PART,
    items: Annotated[
        int, typer.Option(min=20, help="How many items are stored.")
    ] = 100_000,
    dim: Annotated[int, typer.Option(min=4, help="The width of every vector.")] = 128,
    seconds: Annotated[
        float, typer.Option(min=0.1, help="How long each rate takes.")
    ] = 4.0,
    rate: Annotated[float, typer.Option(min=1, help="Requests/s of the mixed run.")] = 60.0,
    minutes: Annotated[
        float, typer.Option(min=0.05, max=120, help="How long the mixed run takes.")
    ] = 3.0,
    peers: Annotated[str, typer.Option(help="Which peers, by name.")] = EVERY_PEER,
    prepare: Annotated[
        bool,
        typer.Option("--prepare", help="Only install the peers and make their indexes."),
    ] = False,
    seed: Annotated[int, typer.Option(help="Of vectors and arrival times.")] = 0,
    out: Annotated[Path, typer.Option(help="Where the JSON goes.")] = OUT,
) -> None:
    """Measure vector search over HTTP: its rate, latencies, limits, leaks, and its peers'.

    ceiling: what the load generator itself can do. search: peaks with 1, 8 and 32
    connections, and latencies of an open loop at 60 % of the highest. beside: the same
    index in process, behind a bare route, and an empty route. peers: other engines over
    the same vectors, each in its own environment under var/peers. overload: four times
    the peak. mixed: 70 % searches, 20 % writes, 5 % deletions, 5 % uploads, and what is
    left behind.

    The JSON under var/bench grows with every figure; a part that fails is told there, and
    the others go on.
    """
    chosen = _names(parts, PARTS, "part")
    wanted = _names(peers, PEERS, "peer")
    scale = Scale(items=items, dim=dim, seconds=seconds, seed=seed)
    vectors = Vectors(scale)
    if prepare:
        sys.exit(_prepare(wanted, vectors))
    report = Report(scale, out)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        print(f"building a collection of {items} items", file=sys.stderr)
        write_collection(data, vectors.rows, media=True)
        run = Run(
            data=data,
            vectors=vectors,
            scale=scale,
            report=report,
            peers=wanted,
            rate=rate,
            minutes=minutes,
        )
        failed = [name for name in chosen if not _measured(name, run)]
    print(report.path)
    if report.missed:
        print(f"bars missed: {'; '.join(report.missed)}", file=sys.stderr)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def _measured(name: str, run: Run) -> bool:
    """Run one part; tell whether it came to its end."""
    started = time.monotonic()
    failure = None
    try:
        PARTS[name](run)
    except Exception as error:  # the other parts are still worth having
        failure = f"{type(error).__name__}: {error}"
        run.report.add(name, "failed", failure)
    run.report.add(name, "took", {"seconds": round(time.monotonic() - started, 1)})
    run.report.table(name)
    return failure is None


def _prepare(names: list[str], vectors: Vectors) -> int:
    failed = 0
    for name in names:
        try:
            _, folder = prepare_peer(PEERS[name], vectors)
            print(f"{name}: ready in {folder}")
        except PeerError as error:
            failed = 1
            print(f"{name}: {error}")
    return failed


def _names(text: str, known: Collection[str], what: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in known:
            raise typer.BadParameter(f"no {what} {name!r}; there are {', '.join(known)}")
    return names


if __name__ == "__main__":
    typer.run(main)
