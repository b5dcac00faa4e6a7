"""Group the relevant items of sorted rankings by the ties they stand in."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Int

from crossmodal.metrics.ranking import Ranked
from crossmodal.metrics.ties import TieGroups, group_items, group_untied

Items = Int[np.ndarray, "items"]


def group_marked(ranked: Ranked) -> TieGroups:
    """Group the marked items of every query, the marked being the relevant.

    A tie of relevant items alone is left as so many groups of one: the order within it
    cannot matter.
    """
    relevant = ranked.marked()
    queries, columns = relevant.shape
    total = np.count_nonzero(relevant, axis=1)
    index = np.flatnonzero(relevant)
    above = index - np.repeat(np.arange(queries) * columns, total)
    # Within a tie the marked come last, their keys one more than those of the others.
    key = ranked.best.take(index)
    mixed = ranked.best.take(index - 1, mode="wrap") == key - 1
    first = np.flatnonzero(mixed & (above > 0))
    if not first.size:
        return group_untied(above=above, total=total)
    query = np.searchsorted(np.cumsum(total), first, side="right")
    over = ranked.count_below(query, key[first] - 1)
    size = ranked.count_below(query, key[first] + 1) - over
    alike = over + size - above[first]
    return group_untied(above=above, total=total).merged(first, over, size, alike)


def group_placed(query: Items, above: Items, size: Items, queries: int) -> TieGroups:
    """Group relevant items given one by one, in any order.

    Args:
        query: The query of each item.
        above: Items strictly above its tie.
        size: Items in its tie.
        queries: How many queries there are.
    """
    order = np.lexsort((above, query))
    return group_items(
        ranking=query[order], above=above[order], size=size[order], rankings=queries
    )


def take_out(
    groups: TieGroups, query: Items, above: Items, relevant: Bool[np.ndarray, "items"]
) -> TieGroups:
    """Take given items out of the rankings, the worst-ranked of each query first.

    In that order the items still to go keep the places they were found at.

    Args:
        groups: The relevant items.
        query: The query of each item that goes.
        above: Items strictly above its tie.
        relevant: Whether it is a relevant one.
    """
    order = np.lexsort((above, query))
    query, above, relevant = query[order], above[order], relevant[order]
    turn = np.arange(len(query)) - np.searchsorted(query, query)
    for number in range(int(turn.max(initial=-1)), -1, -1):
        now = turn == number
        groups = groups.without(query[now], above[now], relevant[now])
    return groups
