"""The parts of a run: what each measures, and the order they come in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.load import mixed as mixed_run
from benchmarks.load import overload as overload_run
from benchmarks.load.beside import in_process, route
from benchmarks.load.peers.catalog import PEERS
from benchmarks.load.peers.driver import serving_peer
from benchmarks.load.peers.environment import PeerError
from benchmarks.load.report import Report, at_least, at_most
from benchmarks.load.scale import Scale, Vectors
from benchmarks.load.target import Target, measure, peak, service_requests, service_rows
from benchmarks.server import Server, serving

P50_MS, P99_MS = 2.0, 15.0
LEAST_RECALL = 0.99
PAIRED_CONNECTIONS = 32


@dataclass(frozen=True, kw_only=True)
class Run:
    """What every part needs.

    Attributes:
        data: The data directory that holds the vectors.
        vectors: The same vectors, and what brute force answers.
        scale: How large and how long.
        report: Where figures go.
        peers: The names of those to compare with.
        rate: Requests per second of the mixed run.
        minutes: How long it takes.
    """

    data: Path
    vectors: Vectors
    scale: Scale
    report: Report
    peers: Sequence[str]
    rate: float
    minutes: float

    def ours(self, server: Server) -> Target:
        """Return the service itself, asked in JSON."""
        requests = service_requests(self.vectors.queries)
        return Target(server.port, requests, service_rows)

    def paired(
        self, ours: Target, other: Target, figures: dict[str, Any]
    ) -> dict[str, Any]:
        """Return figures with the ratio of both rates, one taken right after the other.

        The machine's speed drifts over minutes, which a ratio within seconds survives.
        """
        rates = [
            peak(target, PAIRED_CONNECTIONS, self.scale.seconds)["requests_per_s"]
            for target in (ours, other)
        ]
        ratio = round(rates[1] / rates[0], 3) if rates[0] else None
        return {**figures, "of_ours": ratio, "ours_then_per_s": rates[0]}


def ceiling(run: Run) -> None:
    """Measure the generator against fixed bytes: it must be far above what it measures."""
    with route("fixed", run.data, run.vectors.queries) as target:
        run.report.add("ceiling", "fixed bytes", measure(target, None, run.scale))


def search(run: Run) -> None:
    """Measure the service's vector search."""
    with serving(run.data) as server:
        figures = measure(run.ours(server), run.vectors, run.scale)
        run.report.add("search", "service, JSON", figures)
    late = figures["at_60_percent"]
    run.report.bars(
        "search",
        at_most("p50 at 60 % of peak", late.get("p50_ms"), P50_MS, "ms"),
        at_most("p99 at 60 % of peak", late.get("p99_ms"), P99_MS, "ms"),
        at_least("recall@10", figures["recall_at_10"], LEAST_RECALL),
        at_most("answers other than 200", _not_ok(figures), 0),
    )


def beside(run: Run) -> None:
    """Measure the same index without HTTP, behind a bare route, and an empty route."""
    run.report.add(
        "beside", "in process, one thread", in_process(run.data, run.vectors, run.scale)
    )
    with serving(run.data) as server:
        ours = run.ours(server)
        for kind, held in (("bare", run.vectors), ("empty", None)):
            with route(kind, run.data, run.vectors.queries) as target:
                figures = measure(target, held, run.scale)
                run.report.add("beside", f"{kind} route", run.paired(ours, target, figures))


def peers(run: Run) -> None:
    """Measure every peer; one that cannot be measured is reported with the reason."""
    with serving(run.data) as server:
        ours = run.ours(server)
        for name in run.peers:
            try:
                with serving_peer(PEERS[name], run.vectors) as (target, known):
                    figures = {**known, **measure(target, run.vectors, run.scale)}
                    run.report.add("peers", name, run.paired(ours, target, figures))
            except (PeerError, RuntimeError, OSError, ValueError) as error:
                run.report.add("peers", name, {"not_measured": str(error)})


def overload(run: Run) -> None:
    """Offer the service four times what it can answer."""
    with serving(run.data) as server:
        figures = overload_run.overload(run.ours(server), run.scale)
    run.report.add("overload", "four times the peak", figures)
    run.report.bars("overload", *overload_run.bars(figures))


def mixed(run: Run) -> None:
    """Search, store, delete and upload for minutes, and see what is left."""
    figures = mixed_run.mixed(run.data, run.vectors, run.scale, run.rate, run.minutes)
    run.report.add("mixed", "searches, writes, uploads", figures)
    run.report.bars("mixed", *mixed_run.bars(figures))


PARTS: Mapping[str, Callable[[Run], None]] = {
    part.__name__: part for part in (ceiling, search, beside, peers, overload, mixed)
}


def _not_ok(figures: dict[str, Any]) -> int:
    runs = [*figures["peaks"].values(), figures["at_60_percent"]]
    return sum(
        n for run in runs for status, n in run["statuses"].items() if status != "200"
    )
