"""Confusion: which classes the queries of each class retrieve."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int

from crossmodal.metrics.arrangement import runs
from crossmodal.metrics.ranking import Ranked

MOST_CLASSES = 512  # beyond them the matrix is neither readable nor small
ByClass = Float64[np.ndarray, "classes classes"]


@dataclass(frozen=True, slots=True)
class Confusion:
    """Row: class of the query; column: class of what it retrieves; summed over queries.

    Attributes:
        top_r: Shares among the first R places, R being the query's relevant items.
        top_1: Shares of the first place, whole but for ties.
    """

    top_r: ByClass
    top_1: ByClass

    def plus(self, other: Confusion) -> Confusion:
        """Return the sums over the queries of both."""
        return Confusion(self.top_r + other.top_r, self.top_1 + other.top_1)


def confuse(
    ranked: Ranked,
    relevant: Int[np.ndarray, "queries"],
    wanted: Int[np.ndarray, "queries"],
    there: Int[np.ndarray, "rows"],
    classes: int,
) -> Confusion:
    """Sum over queries the share of each class among the first places, ties expected.

    Args:
        ranked: The rankings.
        relevant: Relevant items per query; queries without any are left out.
        wanted: Class of each query; it is quickest where equal ones adjoin.
        there: Class of each gallery row, negative for an item without one.
        classes: How many classes there are.
    """
    labeled = np.flatnonzero(there >= 0)

    def share(depth: Int[np.ndarray, "queries"]) -> ByClass:
        top, sums = ranked.top(depth), np.zeros((classes, classes))
        for start, stop in runs(wanted, depth):
            if depth[start]:
                of_rows = top.sum_rows(start, stop)[labeled] / depth[start]
                sums[wanted[start]] += np.bincount(there[labeled], of_rows, classes)
        return sums

    return Confusion(share(relevant), share(np.minimum(relevant, 1)))


def normalize_rows(sums: ByClass) -> ByClass:
    """Scale each class's row to sum 1; the row of a class without queries stays 0."""
    total = sums.sum(axis=1, keepdims=True)
    shares: ByClass = sums / np.where(total > 0, total, 1)
    return shares
