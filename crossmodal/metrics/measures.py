"""What rankings measured: a value for each query, and sums over the queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int

from crossmodal.metrics import expectations
from crossmodal.metrics.confusion import Confusion
from crossmodal.metrics.ties import TieGroups

CUTOFFS = (1, 5, 10)

PerQuery = Float64[np.ndarray, "queries"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranks:
    """Where the answers of each query stand; NaN for a query without one.

    Attributes:
        answers: Relevant items of the query.
        first: Expected rank of the best of them.
        reciprocal: Expected reciprocal of that rank.
        recall: Share of them among the first k, one row per entry of CUTOFFS.
    """

    answers: Int[np.ndarray, "queries"]
    first: PerQuery
    reciprocal: PerQuery
    recall: Float64[np.ndarray, "cutoffs queries"]


def ranks_of(groups: TieGroups) -> Ranks:
    """Return the expected ranks of the relevant items of some rankings."""
    return Ranks(
        answers=groups.total,
        first=expectations.first_relevant_rank(groups),
        reciprocal=expectations.reciprocal_rank(groups),
        recall=np.stack([expectations.recall_at_k(groups, k) for k in CUTOFFS]),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryValues:
    """Values of each query, in order.

    Attributes:
        size: Items ranked.
        relevant: Relevant ones among them.
        average_precision: NaN where nothing is relevant.
        without_own_pair: The same with the own pair's rows taken out of the gallery.
        ranks: Of the own pair's (or the judged) rows.
    """

    size: Int[np.ndarray, "queries"]
    relevant: Int[np.ndarray, "queries"]
    average_precision: PerQuery
    without_own_pair: PerQuery
    ranks: Ranks

    def reordered(self, order: Int[np.ndarray, "queries"]) -> QueryValues:
        """Return the values in another order of the queries."""
        return QueryValues(
            size=self.size[order],
            relevant=self.relevant[order],
            average_precision=self.average_precision[order],
            without_own_pair=self.without_own_pair[order],
            ranks=Ranks(
                answers=self.ranks.answers[order],
                first=self.ranks.first[order],
                reciprocal=self.ranks.reciprocal[order],
                recall=self.ranks.recall[:, order],
            ),
        )


def join(parts: Sequence[QueryValues]) -> QueryValues:
    """Put the queries of several blocks behind one another."""
    ranks = [part.ranks for part in parts]
    return QueryValues(
        size=np.concatenate([part.size for part in parts]),
        relevant=np.concatenate([part.relevant for part in parts]),
        average_precision=np.concatenate([part.average_precision for part in parts]),
        without_own_pair=np.concatenate([part.without_own_pair for part in parts]),
        ranks=Ranks(
            answers=np.concatenate([part.answers for part in ranks]),
            first=np.concatenate([part.first for part in ranks]),
            reciprocal=np.concatenate([part.reciprocal for part in ranks]),
            recall=np.concatenate([part.recall for part in ranks], axis=1),
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class QuerySums:
    """Sums over queries, of the size of the gallery or of the classes.

    Attributes:
        mass: Of `curves.mass_by_depth`.
        levels: Of `curves.sum_interpolated`.
        occurrence: Of `hubness.occur`.
        confusion: None without classes, or with too many.
    """

    mass: Float64[np.ndarray, "2 ranks"]
    levels: Float64[np.ndarray, "levels"]
    occurrence: Float64[np.ndarray, "rows"]
    confusion: Confusion | None

    def plus(self, other: QuerySums) -> QuerySums:
        """Return the sums over the queries of both."""
        ours, theirs = self.confusion, other.confusion
        return QuerySums(
            mass=self.mass + other.mass,
            levels=self.levels + other.levels,
            occurrence=self.occurrence + other.occurrence,
            confusion=ours.plus(theirs) if ours and theirs else None,
        )
