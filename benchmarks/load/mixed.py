"""The mixed run: searches beside writes and uploads, for long, and what leaks."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.load.arrivals import poisson
from benchmarks.load.generator import Plan
from benchmarks.load.mixture import Kind, Mixture, kind_of
from benchmarks.load.outcome import Outcome
from benchmarks.load.process import generate
from benchmarks.load.report import Bar, at_most
from benchmarks.load.requests import http_request, vector_json
from benchmarks.load.scale import Scale, Vectors
from benchmarks.load.target import service_requests
from benchmarks.load.usage import Usage, settled, slope_per_minute, usage
from benchmarks.server import Server, serving
from benchmarks.uploads import mp4_bytes, multipart, wav_bytes

WARM_S, SETTLE_S = 15.0, 30.0
IDS = 5_000
CLIP_S = 2
CONNECTIONS = 64
WITHIN = 5  # descriptors, threads, children and files may differ by so many
GROWTH_MIB = 100.0
EXPECTED = {  # per kind: a deletion may come twice round before the id is stored again
    Kind.SEARCH: (200,),
    Kind.INGEST: (200, 201),
    Kind.DELETE: (200, 404),
    Kind.UPLOAD: (200, 429),
}


def mixed(data: Path, vectors: Vectors, scale: Scale, rate: float, minutes: float) -> Any:
    """Run the mixture against a copy of a data directory; return what it took and left.

    Args:
        data: A data directory whose bundle has front ends; left as it is.
        vectors: What it holds.
        scale: The seed.
        rate: Requests per second.
        minutes: How long, after a warm-up.
    """
    with tempfile.TemporaryDirectory() as folder:
        copy, tmp = Path(folder) / "data", Path(folder) / "tmp"
        shutil.copytree(data, copy)
        tmp.mkdir()
        with serving(copy, variables={"TMPDIR": str(tmp)}, read_only=False) as server:
            return _watched(server, (copy / "staging", tmp), vectors, scale, rate, minutes)


def _watched(
    server: Server,
    folders: tuple[Path, ...],
    vectors: Vectors,
    scale: Scale,
    rate: float,
    minutes: float,
) -> dict[str, Any]:
    mixture = mixture_of(vectors)

    def plan(seconds: float, seed: int) -> Plan:
        due = poisson(rate, seconds, seed)
        connections = min(CONNECTIONS, len(due))
        return Plan(
            port=server.port,
            request=mixture,
            connections=connections,
            seconds=seconds,
            due_s=due,
        )

    def look() -> Usage:
        return usage(server.pid, folders)

    generate(plan(min(WARM_S, 60 * minutes), scale.seed + 1))
    start = settled(look, None, WITHIN, SETTLE_S)
    times, memory, most = [], [], start
    began = time.monotonic()

    def sample() -> None:
        nonlocal most
        now = look()
        times.append(time.monotonic() - began)
        memory.append(now.rss_mib)
        most = Usage(**{n: max(v, getattr(most, n)) for n, v in vars(now).items()})

    outcome = generate(plan(60 * minutes, scale.seed), sample)
    end = settled(look, start, WITHIN, SETTLE_S)
    return {
        "minutes": minutes,
        "rate_per_s": rate,
        **by_kind(outcome),
        "rss_start_mib": round(start.rss_mib, 1),
        "rss_end_mib": round(end.rss_mib, 1),
        "rss_most_mib": round(most.rss_mib, 1),
        "rss_growth_mib": round(end.rss_mib - start.rss_mib, 1),
        "rss_slope_mib_per_minute": round(slope_per_minute(times, memory), 3),
        "held_at_start": start.counts,
        "held_at_most": most.counts,
        "held_at_end": end.counts,
        **outcome.account(),
    }


def mixture_of(vectors: Vectors) -> Mixture:
    """Return the mixture over a collection's own kind of vectors."""
    clips = [multipart(wav_bytes(CLIP_S)), multipart(mp4_bytes(CLIP_S))]
    directions = ("audio2visual", "visual2audio")
    return Mixture(
        searches=service_requests(vectors.queries),
        clips=[
            http_request(f"/search/{direction}", body, kind=kind)
            for direction, (body, kind) in zip(directions, clips, strict=True)
        ],
        vectors=[vector_json(row) for row in vectors.queries],
        ids=IDS,
    )


def by_kind(outcome: Outcome) -> dict[str, Any]:
    """Return latencies and statuses per kind, and how many answers were not expected."""
    kinds = np.array([kind_of(number) for number in outcome.number.tolist()], dtype=int)
    told: dict[str, Any] = {}
    unexpected = 0
    for kind, expected in EXPECTED.items():
        part = outcome.only(kinds == kind)
        told[kind.name.lower()] = {
            "statuses": part.account()["statuses"],
            **part.latencies(),
        }
        unexpected += int((~np.isin(part.status, expected)).sum())
    acked = outcome.only(np.isin(kinds, (Kind.INGEST, Kind.DELETE)))
    told["acknowledgment"] = acked.latencies()
    return {**told, "unexpected": unexpected}


def bars(figures: dict[str, Any]) -> list[Bar]:
    """Return what the service promises over a long run."""
    start, end = figures["held_at_start"], figures["held_at_end"]
    return [
        at_most("growth of memory", figures["rss_growth_mib"], GROWTH_MIB, "MiB"),
        at_most("answers that are not expected", figures["unexpected"], 0),
        at_most("resets", figures["resets"], 0),
        *(
            at_most(f"{name} more than at the start", end[name] - start[name], WITHIN)
            for name in start
        ),
    ]
