"""Tie groups: where the relevant items of a ranking stand, ties kept as ties.

A metric that is an expectation over random orders of tied items needs no order inside a
tie: for each group of equal scores, how many items stand above it, how many it holds and
how many of those are relevant. Groups without a relevant item carry nothing and are left
out; without ties every group is one relevant item.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

Groups = Int[np.ndarray, "groups"]
PerRanking = Int[np.ndarray, "rankings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TieGroups:
    """The tie groups with a relevant item, of one or many rankings.

    Attributes:
        ranking: Ranking each group belongs to, ascending; best group first within.
        above: Items ranked strictly above the group.
        size: Items in the group.
        relevant: Relevant items in the group, at least 1.
        before: Relevant items ranked strictly above the group.
        total: Relevant items of each ranking.
    """

    ranking: Groups
    above: Groups
    size: Groups
    relevant: Groups
    before: Groups
    total: PerRanking

    @property
    def rankings(self) -> int:
        """How many rankings there are, those without a relevant item included."""
        return len(self.total)

    def merged(
        self, first: Groups, above: Groups, size: Groups, count: Groups
    ) -> TieGroups:
        """Merge runs of groups that are one relevant item each into one group a run.

        Args:
            first: First group of each run.
            above: Items ranked strictly above the merged group.
            size: Items in it.
            count: Groups in the run, which are its relevant items.
        """
        more = np.repeat(first + count - np.cumsum(count - 1), count - 1)
        kept = np.ones(len(self.above), dtype=np.bool_)
        kept[more + np.arange(len(more))] = False
        groups = [self.above.copy(), self.size.copy(), self.relevant.copy()]
        for column, values in zip(groups, (above, size, count), strict=True):
            column[first] = values
        return TieGroups(
            ranking=self.ranking[kept],
            above=groups[0][kept],
            size=groups[1][kept],
            relevant=groups[2][kept],
            before=self.before[kept],
            total=self.total,
        )

    def without(
        self,
        ranking: Int[np.ndarray, "removed"],
        above: Int[np.ndarray, "removed"],
        relevant: Bool[np.ndarray, "removed"],
    ) -> TieGroups:
        """Take one item out of some of the rankings.

        Args:
            ranking: The rankings that lose an item, each at most once.
            above: Items ranked strictly above the one that goes.
            relevant: Whether it counts among the relevant ones.
        """
        gone_above = np.full(self.rankings, np.iinfo(np.int64).max)
        gone_above[ranking] = above
        counted = np.zeros(self.rankings, dtype=np.int64)
        counted[ranking] = relevant
        gone = gone_above[self.ranking]
        below = gone < self.above
        hit = np.flatnonzero(gone == self.above)
        size, left = self.size.copy(), self.relevant.copy()
        size[hit] -= 1
        left[hit] -= counted[self.ranking[hit]]
        kept = np.ones(len(left), dtype=np.bool_)
        kept[hit] = left[hit] > 0
        return TieGroups(
            ranking=self.ranking[kept],
            above=(self.above - below)[kept],
            size=size[kept],
            relevant=left[kept],
            before=(self.before - below * counted[self.ranking])[kept],
            total=self.total - counted,
        )


def group(
    *, ranking: Groups, above: Groups, size: Groups, relevant: Groups, rankings: int
) -> TieGroups:
    """Complete tie groups, given best first within ascending rankings."""
    total = np.bincount(ranking, weights=relevant, minlength=rankings).astype(np.int64)
    earlier = np.cumsum(total) - total
    return TieGroups(
        ranking=ranking,
        above=above,
        size=size,
        relevant=relevant,
        before=np.cumsum(relevant) - relevant - earlier[ranking],
        total=total,
    )


def group_untied(*, above: Groups, total: PerRanking) -> TieGroups:
    """Take every relevant item as a group of its own.

    Args:
        above: Items ranked above each, ascending within ascending rankings.
        total: Relevant items of each ranking.
    """
    alone = np.ones_like(above)
    return TieGroups(
        ranking=np.repeat(np.arange(len(total)), total),
        above=above,
        size=alone,
        relevant=alone,
        before=np.arange(len(above)) - np.repeat(np.cumsum(total) - total, total),
        total=total,
    )


def group_items(
    *,
    ranking: Int[np.ndarray, "items"],
    above: Int[np.ndarray, "items"],
    size: Int[np.ndarray, "items"],
    rankings: int,
) -> TieGroups:
    """Collapse relevant items of one tie into its group.

    Args:
        ranking: Ranking of each relevant item, ascending.
        above: Items strictly above its tie, ascending within a ranking.
        size: Items in its tie, itself included.
        rankings: How many rankings there are.
    """
    first = np.ones(len(ranking), dtype=np.bool_)
    first[1:] = (ranking[1:] != ranking[:-1]) | (above[1:] != above[:-1])
    starts = np.flatnonzero(first)
    return group(
        ranking=ranking[starts],
        above=above[starts],
        size=size[starts],
        relevant=np.diff(starts, append=len(ranking)),
        rankings=rankings,
    )


def group_tied(sizes: PerRanking, relevant: PerRanking) -> TieGroups:
    """Take every ranking as one tie: a random order of its items.

    Args:
        sizes: Items of each ranking.
        relevant: Relevant ones among them.
    """
    answered = np.flatnonzero(relevant)
    return group(
        ranking=answered,
        above=np.zeros_like(answered),
        size=sizes[answered],
        relevant=relevant[answered],
        rankings=len(sizes),
    )


def group_ranking(
    relevant: Bool[np.ndarray, "rank"],
    tie_group: Int[np.ndarray, "numbers"] | None = None,
) -> TieGroups:
    """Group one ranking, best first.

    Args:
        relevant: Whether the item at each rank is relevant.
        tie_group: The same number for ranks whose scores tie; None means no ties.

    Raises:
        ValueError: If the tie groups are not one number per rank, or one number names
            ranks that are not adjacent.
    """
    ranks = np.arange(len(relevant))
    if tie_group is None:
        starts, number = ranks, ranks
    else:
        if tie_group.shape != relevant.shape:
            raise ValueError(
                f"expected a tie group for each of {len(relevant)} ranks, got "
                f"{len(tie_group)}"
            )
        new = np.ones(len(relevant), dtype=np.bool_)
        new[1:] = tie_group[1:] != tie_group[:-1]
        starts = np.flatnonzero(new)
        if len(np.unique(tie_group)) != len(starts):
            raise ValueError("tied ranks must be adjacent, a tie group occurs twice")
        number = np.cumsum(new) - 1
    sizes = np.diff(starts, append=len(relevant))
    hit = np.flatnonzero(relevant)
    return group_items(
        ranking=np.zeros_like(hit),
        above=starts[number[hit]],
        size=sizes[number[hit]],
        rankings=1,
    )
