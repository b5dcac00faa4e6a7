"""Group the relevant items of sorted rankings by the ties they stand in."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Int

from crossmodal.metrics.ranking import Ranked
from crossmodal.metrics.ties import TieGroups, group_items, group_untied

Items = Int[np.ndarray, "items"]


def group_marked(ranked: Ranked) -> TieGroups:
    """Group the marked items of every query, the marked being the relevant.

    Rows in which no tie mixes relevant and other items are taken as untied, for there
    the order within a tie cannot matter.
    """
    relevant = ranked.marked()
    queries, columns = relevant.shape
    total = np.count_nonzero(relevant, axis=1)
    index = np.flatnonzero(relevant)
    query = np.repeat(np.arange(queries), total)
    above = index - query * columns
    best = ranked.best.ravel()
    # within a tie the marked come last: where one starts, the key before is one less
    starts = best.take(index - 1, mode="wrap") == best.take(index) - 1
    mixed = np.zeros(queries, dtype=np.bool_)
    mixed[query[starts & (above > 0)]] = True
    if not mixed.any():
        return group_untied(above=above, total=total)
    size = np.ones_like(above)
    tied = np.flatnonzero(mixed)
    begins = np.ones((len(tied), columns), dtype=np.bool_)
    np.logical_not(ranked.tied(tied), out=begins[:, 1:])
    starts = np.flatnonzero(begins)
    items = np.flatnonzero(mixed[query])
    offset = np.searchsorted(tied, query[items]) * columns
    tie = np.searchsorted(starts, offset + above[items], side="right") - 1
    above[items] = starts[tie] - offset
    size[items] = np.diff(starts, append=begins.size)[tie]
    return group_items(ranking=query, above=above, size=size, rankings=queries)


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
