"""Uncertainty of many systems at once: bootstrap intervals and paired randomisation.

As `crossmodal.metrics.significance` has them, with every draw shared by all systems and
metrics. What is drawn is a unit: a query, or, for the mean over directions, a clip with its
query in each direction, whose values are no independent draws.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int

BLOCK_DRAWS = 1 << 20  # units times draws held at once
TEST_DRAWS = 10_000
INTERVAL_DRAWS = 2_000
CONFIDENCE = 0.95

Values = Float64[np.ndarray, "_ systems"]
Units = Int[np.ndarray, "_"]
PerSystem = Float64[np.ndarray, "systems"]


@dataclass(frozen=True, slots=True)
class Sample:
    """One metric of several systems in one or more directions.

    Attributes:
        values: Per direction, a row per query and a column per system; NaN where a
            query has no value, which must be so for all systems alike.
        units: Per direction, the unit each query belongs to, from 0.
    """

    values: Sequence[Values]
    units: Sequence[Units]

    @property
    def size(self) -> int:
        """How many units there are."""
        return 1 + max(int(units.max()) for units in self.units)

    def sums(self) -> list[tuple[Float64[np.ndarray, "units systems"], np.ndarray]]:
        """Return per direction each unit's sum of values and count of queries."""
        size, found = self.size, []
        for values, units in zip(self.values, self.units, strict=True):
            known = ~np.isnan(values[:, 0])
            total = np.zeros((size, values.shape[1]))
            np.add.at(total, units[known], values[known])
            found.append((total, np.bincount(units[known], minlength=size)))
        return found

    def means(self) -> PerSystem:
        """Return the mean of the directions' means."""
        parts = [total.sum(axis=0) / count.sum() for total, count in self.sums()]
        return np.asarray(np.mean(parts, axis=0))


def number_units(keys: Sequence[Sequence[str]]) -> list[Units]:
    """Return the unit of each query, given the queries' keys in each direction."""
    number: Mapping[str, int] = {
        key: place for place, key in enumerate(dict.fromkeys(k for ks in keys for k in ks))
    }
    return [np.array([number[key] for key in column], dtype=np.int64) for column in keys]


def bootstrap_intervals(
    sample: Sample, *, draws: int = INTERVAL_DRAWS, seed: int = 0
) -> Float64[np.ndarray, "systems bounds"]:
    """Return each system's 95 % percentile interval of the mean over resampled units.

    Source:
        Efron & Tibshirani 1993, An introduction to the bootstrap, chapter 13.
    """
    size, sums = sample.size, sample.sums()
    rng = np.random.default_rng(seed)
    means = []
    for block in _blocks(draws, size):
        drawn = rng.integers(0, size, (block, size))
        line = np.arange(block)[:, None] * size
        times = np.bincount((drawn + line).ravel(), minlength=block * size)
        weights = times.reshape(block, size).astype(np.float64)
        parts = []
        for total, count in sums:
            queries = weights @ count
            parts.append(weights @ total / np.maximum(queries, 1)[:, None])
        means.append(np.mean(parts, axis=0))
    tail = (1 - CONFIDENCE) / 2
    bounds: np.ndarray = np.quantile(np.concatenate(means), [tail, 1 - tail], axis=0)
    return bounds.T


def randomization_tests(
    sample: Sample, reference: int, *, draws: int = TEST_DRAWS, seed: int = 0
) -> PerSystem:
    """Return each system's two-sided p-value against the reference; its own is 1.

    Source:
        Smucker, Allan & Carterette 2007, A comparison of statistical significance tests
        for information retrieval evaluation, CIKM.
    """
    size, sums = sample.size, sample.sums()
    difference = np.mean(
        [(total - total[:, [reference]]) / count.sum() for total, count in sums], axis=0
    )
    observed = np.abs(difference.sum(axis=0))
    margin = 1e-12 * np.abs(difference).sum(axis=0)  # sums in another order count as equal
    rng = np.random.default_rng(seed)
    extreme = np.zeros(difference.shape[1])
    for block in _blocks(draws, size):
        signs = rng.integers(0, 2, (block, size), dtype=np.int8) * 2.0 - 1.0
        extreme += (np.abs(signs @ difference) >= observed - margin).sum(axis=0)
    p_values: np.ndarray = (extreme + 1) / (draws + 1)
    return p_values


def _blocks(draws: int, units: int) -> list[int]:
    step = max(1, BLOCK_DRAWS // units)
    return [min(step, draws - done) for done in range(0, draws, step)]
