"""Paired differences: by how much one entry scores above another, and how surely.

Two kinds of luck are looked at. Which queries were drawn: the bootstrap interval and the
randomisation test of `training.compare.uncertainty`, over clips, of values that are means
over seeds. And which seeds were: a t interval of the differences seed by seed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t

from crossmodal.modality import Direction
from training.compare.outcome import per_query
from training.compare.rows import HEADLINE, Standing, UnitKeys, value_of
from training.compare.uncertainty import (
    CONFIDENCE,
    Sample,
    bootstrap_intervals,
    number_units,
    randomization_tests,
)

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Difference:
    """Class mAP of one entry minus that of another.

    Attributes:
        mean: Mean of the directions, mean over seeds and folds.
        by_direction: The same in each direction.
        interval: 95 % bootstrap interval over queries.
        p_value: Two-sided, of a paired randomisation test over queries.
        by_seed: The mean of the directions with each seed.
        seed_interval: 95 % t interval over seeds; None for one seed.
    """

    mean: float
    by_direction: Mapping[str, float]
    interval: Interval
    p_value: float
    by_seed: tuple[float, ...]
    seed_interval: Interval | None


def paired_differences(
    pairs: Sequence[tuple[Standing, Standing]],
    directions: Sequence[Direction],
    unit_keys: UnitKeys,
) -> list[Difference]:
    """Return the difference of each pair, the first minus the second.

    Args:
        pairs: Entries whose every job worked.
        directions: What is scored.
        unit_keys: As for `training.compare.rows.table_rows`.
    """
    if not pairs:
        return []
    columns = []
    for direction in directions:
        differences = [
            per_query(a.outcomes, direction, HEADLINE)
            - per_query(b.outcomes, direction, HEADLINE)
            for a, b in pairs
        ]
        columns.append(np.stack([*differences, np.zeros_like(differences[0])], axis=1))
    sample = Sample(columns, number_units([unit_keys[d] for d in directions]))
    means, intervals = sample.means(), bootstrap_intervals(sample)
    p_values = randomization_tests(sample, len(pairs))  # against the zeros put last
    found = []
    for place, (a, b) in enumerate(pairs):
        by_seed = _by_seed(a, b, directions)
        found.append(
            Difference(
                mean=float(means[place]),
                by_direction={
                    str(d): float(np.nanmean(column[:, place]))
                    for d, column in zip(directions, columns, strict=True)
                },
                interval=(float(intervals[place, 0]), float(intervals[place, 1])),
                p_value=float(p_values[place]),
                by_seed=by_seed,
                seed_interval=t_interval(by_seed),
            )
        )
    return found


def t_interval(values: Sequence[float]) -> Interval | None:
    """Return the 95 % interval of a mean, values taken as normal; None for one value.

    Source:
        Student 1908, The probable error of a mean, Biometrika 6.
    """
    if len(values) < 2:
        return None
    reach = t.ppf((1 + CONFIDENCE) / 2, len(values) - 1) * np.std(values, ddof=1)
    mean, half = float(np.mean(values)), float(reach / np.sqrt(len(values)))
    return mean - half, mean + half


def _by_seed(
    a: Standing, b: Standing, directions: Sequence[Direction]
) -> tuple[float, ...]:
    ours, theirs = _scores(a, directions), _scores(b, directions)
    return tuple(ours[seed] - theirs[seed] for seed in ours if seed in theirs)


def _scores(standing: Standing, directions: Sequence[Direction]) -> dict[int, float]:
    """Return by seed the mean over folds and directions."""
    found: dict[int, list[float]] = {}
    for (seed, _), outcomes in standing.fits().items():
        for direction in map(str, directions):
            value = next(
                value_of(o, direction, HEADLINE)
                for o in outcomes
                if direction in o.values["directions"]
            )
            if value is not None:
                found.setdefault(seed, []).append(value)
    return {seed: float(np.mean(values)) for seed, values in found.items()}
