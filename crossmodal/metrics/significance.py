"""Significance: is a difference of means more than the luck of the queries drawn."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

PerQuery = Float64[np.ndarray, "queries"]
Paired = Float64[np.ndarray, "paired"]
Known = Float64[np.ndarray, "known"]

BLOCK_DRAWS = 1 << 20  # queries times draws held at once


def paired_randomization_test(
    first: PerQuery, second: Paired, *, draws: int = 10_000, seed: int = 0
) -> float:
    """Return the two-sided p-value of the difference in mean between paired values.

    Under the null hypothesis it is chance which of the two systems gave which of a
    query's values, so signs of the differences are flipped at random. The observed
    assignment counts as one draw, which keeps p above 0.

    Args:
        first: A metric of each query under one system.
        second: The same queries, in the same order, under the other. A query without a
            value (NaN) in either is left out.
        draws: Random assignments.
        seed: Of the assignments.

    Raises:
        ValueError: If the two are not of one length, or no query has both values.

    Source:
        Smucker, Allan & Carterette 2007, A comparison of statistical significance tests
        for information retrieval evaluation, CIKM.
    """
    if first.shape != second.shape:
        raise ValueError(
            f"expected values of the same queries, got {len(first)} and {len(second)}"
        )
    difference = _known(first - second)
    observed = abs(float(difference.sum()))
    margin = 1e-12 * float(np.abs(difference).sum())  # sums in another order count as equal
    rng = np.random.default_rng(seed)
    extreme = 0
    for block in _blocks(draws, len(difference)):
        signs = rng.integers(0, 2, (block, len(difference)), dtype=np.int8) * 2.0 - 1.0
        extreme += int(np.count_nonzero(np.abs(signs @ difference) >= observed - margin))
    return (extreme + 1) / (draws + 1)


def bootstrap_interval(
    values: PerQuery, *, confidence: float = 0.95, draws: int = 10_000, seed: int = 0
) -> tuple[float, float]:
    """Return the percentile interval of the mean over resampled queries.

    Args:
        values: A metric of each query; those without a value (NaN) are left out.
        confidence: Probability the interval covers, between 0 and 1.
        draws: Resamples.
        seed: Of the resamples.

    Raises:
        ValueError: If no query has a value, or the confidence is not between 0 and 1.

    Source:
        Efron & Tibshirani 1993, An introduction to the bootstrap, chapter 13.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be between 0 and 1, got {confidence}")
    known = _known(values)
    rng = np.random.default_rng(seed)
    means = np.concatenate(
        [
            known[rng.integers(0, len(known), (block, len(known)))].mean(axis=1)
            for block in _blocks(draws, len(known))
        ]
    )
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)


def _known(values: PerQuery) -> Known:
    known: Known = values[~np.isnan(values)]
    if not known.size:
        raise ValueError("expected at least one query with a value, got none")
    return known


def _blocks(draws: int, queries: int) -> list[int]:
    if draws < 1:
        raise ValueError(f"draws must be 1 or more, got {draws}")
    step = max(1, BLOCK_DRAWS // queries)
    return [min(step, draws - done) for done in range(0, draws, step)]
