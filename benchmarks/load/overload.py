"""Overload: four times what the service can answer, and what it does with it."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.load.arrivals import poisson
from benchmarks.load.generator import Plan
from benchmarks.load.outcome import Outcome
from benchmarks.load.process import generate
from benchmarks.load.report import Bar, at_least, at_most
from benchmarks.load.requests import Cycle
from benchmarks.load.scale import Scale
from benchmarks.load.target import Target, found, peak

TIMES, CONNECTIONS, PEAK_CONNECTIONS = 4.0, 256, 32
LEAST_GOODPUT = 0.8  # of peak
REFUSALS = (429, 503)


def overload(target: Target, scale: Scale) -> dict[str, Any]:
    """Offer four times the peak for a few seconds; return what became of the requests."""
    found(target)
    before = peak(target, PEAK_CONNECTIONS, scale.seconds)["requests_per_s"]
    seconds = 2 * scale.seconds
    plan = Plan(
        port=target.port,
        request=Cycle(target.requests),
        connections=CONNECTIONS,
        seconds=seconds,
        due_s=poisson(TIMES * before, seconds, scale.seed),
        drain_s=0.0,
    )
    outcome = generate(plan)
    after = peak(target, PEAK_CONNECTIONS, scale.seconds)["requests_per_s"]
    return {
        "peak_before_per_s": before,
        "peak_after_per_s": after,
        "offered_per_s": round(TIMES * before, 1),
        **told(outcome, seconds),
        "goodput_of_peak": round(outcome.answered(seconds) / max(before, after), 3),
    }


def told(outcome: Outcome, seconds: float) -> dict[str, Any]:
    """Return what the answers said, and whether each refusal said when to come back."""
    refused = np.isin(outcome.status, REFUSALS)
    served = outcome.only(outcome.status == 200)
    return {
        "sent_per_s": round(float(outcome.sent.sum() / seconds), 1),
        "goodput_per_s": round(outcome.answered(seconds), 1),
        **{f"served_{name}": value for name, value in served.latencies().items()},
        "refused": int(refused.sum()),
        "refused_without_retry_after": int((refused & ~outcome.retry_after).sum()),
        **outcome.account(),
    }


def bars(figures: dict[str, Any]) -> list[Bar]:
    """Return what the service promises under overload."""
    allowed = {"200", *(str(status) for status in REFUSALS)}
    others = sum(n for status, n in figures["statuses"].items() if status not in allowed)
    silent = figures["refused_without_retry_after"]
    return [
        at_most("answers other than 200, 429, 503", others, 0),
        at_most("refusals without Retry-After", silent, 0),
        at_most("resets", figures["resets"], 0),
        at_least("goodput, part of peak", figures["goodput_of_peak"], LEAST_GOODPUT),
    ]
