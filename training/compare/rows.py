"""Rows: what ``table.json`` holds, one per entry, direction and metric."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from crossmodal.modality import Direction
from training.compare.entry import Entry
from training.compare.outcome import FAILED, NOT_APPLICABLE, OK, Outcome, per_query
from training.compare.uncertainty import (
    Sample,
    bootstrap_intervals,
    number_units,
    randomization_tests,
)

MEAN = "mean"
HEADLINE = "mean_average_precision"
WITHOUT_OWN_PAIR = "mean_average_precision_without_own_pair"
PER_QUERY = (
    HEADLINE,
    WITHOUT_OWN_PAIR,
    "recall_at_1",
    "recall_at_5",
    "recall_at_10",
    "mean_rank",
    "mean_reciprocal_rank",
)
"""Means over queries: these have an interval and a test."""
LOWER_IS_BETTER = ("mean_rank",)
METRICS = (
    HEADLINE,
    WITHOUT_OWN_PAIR,
    "random_mean_average_precision",
    "lift",
    "recall_at_1",
    "recall_at_5",
    "recall_at_10",
    "median_rank",
    "mean_rank",
    "mean_reciprocal_rank",
    "hubness",
    "queries",
    "gallery",
    "queries_without_relevant",
)

Row = Mapping[str, Any]
UnitKeys = Mapping[Direction, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Standing:
    """An entry and all it gave.

    Attributes:
        entry: The entry.
        outcomes: Of its jobs, in the order of the plan.
        refusal: Why it has no jobs; None if it has.
    """

    entry: Entry
    outcomes: Sequence[Outcome]
    refusal: str | None = None

    @property
    def complete(self) -> bool:
        """Whether every job worked."""
        return bool(self.outcomes) and all(o.ok for o in self.outcomes)

    @property
    def status(self) -> str:
        """``ok``, or what is wrong and the reason."""
        if self.refusal is not None:
            return f"{NOT_APPLICABLE}: {self.refusal}"
        wrong = [o for o in self.outcomes if not o.ok]
        if not wrong:
            return OK
        reason = str(wrong[0].values["reason"])
        if len(wrong) < len(self.outcomes):
            return f"incomplete: {len(wrong)} of {len(self.outcomes)} fits: {reason}"
        kinds = {o.values["status"] for o in wrong}
        return f"{FAILED if FAILED in kinds else NOT_APPLICABLE}: {reason}"

    @property
    def pairs(self) -> str | None:
        """What pairs it learned from: own, drawn or unused; None without a result."""
        return next((str(o.values["pairs"]) for o in self.outcomes if o.ok), None)

    def fits(self) -> dict[tuple[int, int], list[Outcome]]:
        """Return the outcomes of every seed and fold that worked as a whole."""
        found: dict[tuple[int, int], list[Outcome]] = {}
        for outcome in self.outcomes:
            found.setdefault((outcome.seed, outcome.fold or 0), []).append(outcome)
        return {place: all_ for place, all_ in found.items() if all(o.ok for o in all_)}

    def total(self, field: str) -> float | None:
        """Return the mean over fits of a field, summed over the models of a fit."""
        sums = [sum(o.values[field] for o in few) for few in self.fits().values()]
        return float(np.mean(sums)) if sums else None


def table_rows(
    standings: Sequence[Standing],
    directions: Sequence[Direction],
    data: str,
    unit_keys: UnitKeys,
) -> list[Row]:
    """Return every row, entries in order.

    Args:
        standings: The entries.
        directions: What is scored.
        data: Name of the data set.
        unit_keys: Per direction a key per query, folds one after another; equal for the
            queries of one clip.
    """
    evidence = {}
    for metric in PER_QUERY:
        for direction in directions:
            evidence[str(direction), metric] = _evidence(
                standings, [direction], metric, {direction: _own(unit_keys[direction])}
            )
        evidence[MEAN, metric] = _evidence(standings, directions, metric, unit_keys)
    names = [*map(str, directions), MEAN]
    return [
        _row(standing, direction, names[:-1], metric, data, evidence)
        for standing in standings
        for direction in names
        for metric in METRICS
    ]


def value_of(outcome: Outcome, direction: str, metric: str) -> float | None:
    """Return one figure of one job; None where it does not apply."""
    found: float | None
    if metric == "lift":
        found = outcome.values["curves"][direction]["lift"]
    elif metric == "hubness":
        found = outcome.values["curves"][direction]["hubness"]["skewness"]
    else:
        found = outcome.values["directions"][direction][metric]
    return None if found is None else float(found)


Evidence = Mapping[str, tuple[tuple[float, float], float | None]]


def _row(
    standing: Standing,
    direction: str,
    directions: Sequence[str],
    metric: str,
    data: str,
    evidence: Mapping[tuple[str, str], Evidence],
) -> Row:
    seeds, values = [], []
    for (seed, _), outcomes in standing.fits().items():
        wanted = directions if direction == MEAN else [direction]
        found = [_in_fit(outcomes, name, metric) for name in wanted]
        if all(value is not None for value in found):
            seeds.append(seed)
            values.append(float(np.mean([value for value in found if value is not None])))
    interval, p_value = evidence.get((direction, metric), {}).get(
        standing.entry.name, (None, None)
    )
    parameters = standing.total("parameters")
    return {
        "method": standing.entry.variant,
        "preset": standing.entry.preset,
        "data": data,
        "direction": direction,
        "metric": metric,
        "mean": float(np.mean(values)) if values else None,
        "sd": float(np.std(values, ddof=1)) if len(values) > 1 else None,
        "seeds": seeds,
        "values": values,
        "interval": None if interval is None else list(interval),
        "p_value": p_value,
        "train_seconds": standing.total("train_seconds"),
        "parameters": None if parameters is None else round(parameters),
        "pairs": standing.pairs,
        "status": standing.status,
    }


def _in_fit(outcomes: Sequence[Outcome], direction: str, metric: str) -> float | None:
    for outcome in outcomes:
        if direction in outcome.values["directions"]:
            return value_of(outcome, direction, metric)
    return None


def _evidence(
    standings: Sequence[Standing],
    directions: Sequence[Direction],
    metric: str,
    unit_keys: UnitKeys,
) -> Evidence:
    """Return each complete entry's interval, and its p-value against the best of them."""
    compared = [
        s
        for s in standings
        if s.complete and all(applies(s, str(d), metric) for d in directions)
    ]
    if not compared:
        return {}
    columns = [
        np.stack([per_query(s.outcomes, d, metric) for s in compared], axis=1)
        for d in directions
    ]
    sample = Sample(columns, number_units([unit_keys[d] for d in directions]))
    means = sample.means()
    choose: Callable[..., Any] = np.argmin if metric in LOWER_IS_BETTER else np.argmax
    best = int(choose(means))
    intervals = bootstrap_intervals(sample)
    p_values = randomization_tests(sample, best)
    return {
        standing.entry.name: (
            (float(intervals[place, 0]), float(intervals[place, 1])),
            None if place == best else float(p_values[place]),
        )
        for place, standing in enumerate(compared)
    }


def applies(standing: Standing, direction: str, metric: str) -> bool:
    """Whether an entry has values of a metric in a direction."""
    return any(
        direction in o.values["directions"] and value_of(o, direction, metric) is not None
        for o in standing.outcomes
    )


def _own(keys: Sequence[str]) -> list[str]:
    """Return keys that make every query a unit of its own."""
    return [str(number) for number in range(len(keys))]
