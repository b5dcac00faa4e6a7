"""Confusion: which classes the queries of each class retrieve."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int

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
    found: Int[np.ndarray, "queries rows"],
    classes: int,
) -> Confusion:
    """Sum over queries the share of each class among the first places, ties expected.

    Args:
        ranked: The rankings.
        relevant: Relevant items per query; queries without any are left out.
        wanted: Class of each query.
        found: Class at each rank, negative for an item without one.
        classes: How many classes there are.
    """

    def share(depth: Int[np.ndarray, "queries"]) -> ByClass:
        query, index, weight = ranked.top(depth)
        retrieved = found.ravel().take(index)
        if retrieved.min(initial=0) < 0:
            labeled = np.flatnonzero(retrieved >= 0)
            query, retrieved, weight = query[labeled], retrieved[labeled], weight[labeled]
        cells = np.bincount(query * classes + retrieved, weight, len(depth) * classes)
        answered = np.flatnonzero(depth)
        shares = cells.reshape(-1, classes)[answered] / depth[answered, None]
        sums = np.zeros((classes, classes))
        np.add.at(sums, wanted[answered], shares)
        return sums

    return Confusion(share(relevant), share(np.minimum(relevant, 1)))


def normalize_rows(sums: ByClass) -> ByClass:
    """Scale each class's row to sum 1; the row of a class without queries stays 0."""
    total = sums.sum(axis=1, keepdims=True)
    shares: ByClass = sums / np.where(total > 0, total, 1)
    return shares
