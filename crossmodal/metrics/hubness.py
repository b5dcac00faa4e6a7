"""Hubness: whether few gallery items stand among the answers of most queries.

Source:
    Radovanović, Nanopoulos & Ivanović 2010, Hubs in space, JMLR 11.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from crossmodal.metrics.ranking import Ranked

NEIGHBORS = 10

Occurrence = Float64[np.ndarray, "rows"]


def occur(ranked: Ranked) -> Occurrence:
    """Return how many queries have each gallery row among their first 10, ties expected."""
    top = ranked.top(np.minimum(ranked.size, NEIGHBORS))
    return top.sum_rows(0, len(ranked.size))


def skewness(occurrence: Occurrence) -> float | None:
    """Return the third central moment over the cubed standard deviation.

    Returns:
        The skewness; None if every row occurs equally often, which has none.
    """
    deviation = occurrence - occurrence.mean()
    spread = float(np.sqrt(np.mean(deviation**2)))
    if spread <= 1e-9 * float(occurrence.mean()):
        return None
    return float(np.mean((deviation / spread) ** 3))


def share_never_retrieved(occurrence: Occurrence) -> float:
    """Return the share of gallery rows that no query can have among its first 10."""
    return float(np.mean(occurrence <= 0))
