"""Trials: settings that were tried and what each scored, from a search or a sweep."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

Value = float | int | str | bool


@dataclass(frozen=True, slots=True)
class Trial:
    """One combination of settings: its score and that of each direction, over its fits."""

    settings: Mapping[str, Value]
    score: float
    directions: Mapping[str, float]
    fits: int = 1


@dataclass(frozen=True)
class Trials:
    """What was tried of one method.

    Attributes:
        name: Of the entry.
        scored_on: The rows the scores are of: validation, or test.
        metric: What the scores are.
        trials: In the order they were tried.
    """

    name: str
    scored_on: str
    metric: str
    trials: tuple[Trial, ...]

    @cached_property
    def varied(self) -> dict[str, list[Value]]:
        """The settings with more than one value, and the values in order."""
        found: dict[str, list[Value]] = {}
        for trial in self.trials:
            for key, value in trial.settings.items():
                known = found.setdefault(key, [])
                if value not in known:
                    known.append(value)
        return {
            key: sorted(values) if is_numeric(values) else values
            for key, values in found.items()
            if len(values) > 1
        }

    @property
    def best(self) -> Trial:
        """The trial of the best score."""
        return max(self.trials, key=lambda trial: trial.score)

    @property
    def directions(self) -> tuple[str, ...]:
        """The directions every trial was scored in."""
        return tuple(self.trials[0].directions)

    def best_at(self, key: str, value: Value, direction: str | None = None) -> float:
        """Return the best score among the trials with that value; NaN if there are none."""
        scores = [
            trial.score if direction is None else trial.directions[direction]
            for trial in self.trials
            if trial.settings.get(key) == value
        ]
        return max(scores, default=float("nan"))


def is_numeric(values: Iterable[Value]) -> bool:
    """Whether all values are numbers, truth values aside."""
    return all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)


def averaged(
    found: Iterable[tuple[Mapping[str, Value], float, Mapping[str, float]]],
) -> tuple[Trial, ...]:
    """Return one trial per combination of settings, scores averaged over its fits."""
    groups: dict[str, list[tuple[Mapping[str, Value], float, Mapping[str, float]]]] = {}
    for settings, score, directions in found:
        key = json.dumps(settings, sort_keys=True, default=str)
        groups.setdefault(key, []).append((settings, score, directions))
    return tuple(
        Trial(
            settings=few[0][0],
            score=float(np.mean([score for _, score, _ in few])),
            directions={
                d: float(np.mean([directions[d] for _, _, directions in few]))
                for d in few[0][2]
            },
            fits=len(few),
        )
        for few in groups.values()
    )
