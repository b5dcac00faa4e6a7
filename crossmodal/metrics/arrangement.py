"""Arrangement: queries and gallery by class, so that what is relevant stands together.

No metric depends on the order of either side; ranked in this one, the relevant items of
a query are one stretch of gallery columns, and queries with the same stretch adjoin.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float64, Int

from crossmodal.metrics.ranking import REMOVED, Keys, multiply
from crossmodal.metrics.search import Search
from crossmodal.relevance import Codes, Matches

Rows = Int[np.ndarray, "rows"]
Queries = Int[np.ndarray, "queries"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arranged:
    """A search in the order of classes.

    Attributes:
        queries: Query rows.
        gallery: Gallery rows.
        own_row: The gallery row that is the query itself, -1 where there is none.
        query_order: The number each query had.
        gallery_order: The number each gallery row had.
        begin: First gallery row of the query's class.
        end: The row after the last; ``begin`` where nothing is relevant by class.
    """

    queries: Float64[np.ndarray, "queries dim"]
    gallery: Float64[np.ndarray, "rows dim"]
    own_row: Queries
    query_order: Queries
    gallery_order: Rows
    begin: Queries
    end: Queries

    def keys(self, start: int, stop: int) -> Keys:
        """Return the keys of queries ``start`` to ``stop``, relevant items marked."""
        keys = multiply(self.queries[start:stop], self.gallery)
        for first, last in runs(self.begin[start:stop], self.end[start:stop]):
            query = start + first
            keys[first:last, self.begin[query] : self.end[query]] |= 1
        own_row = self.own_row[start:stop]
        removed = np.flatnonzero(own_row >= 0)
        keys[removed, own_row[removed]] = REMOVED
        return keys

    def relocate(self, answers: Matches) -> Matches:
        """Return matches, given in the order things had, in this one."""
        return Matches(
            answers.slot[self.query_order],
            answers.offsets,
            invert(self.gallery_order)[answers.rows],
        )


def arrange(search: Search, classes: Codes | None) -> Arranged:
    """Order a search by class; without classes it keeps its order."""
    query_order, gallery_order = (
        np.arange(len(search.queries)),
        np.arange(len(search.gallery)),
    )
    begin = end = np.zeros_like(query_order)
    if classes is not None:
        query_order = np.lexsort((search.own_row >= 0, classes.query))
        gallery_order = np.argsort(classes.gallery, kind="stable")
        wanted, there = classes.query[query_order], classes.gallery[gallery_order]
        begin = np.searchsorted(there, wanted, side="left")
        end = np.searchsorted(there, wanted, side="right")
    own_row = search.own_row[query_order]
    own_row = np.where(own_row >= 0, invert(gallery_order)[own_row], -1)
    return Arranged(
        queries=search.queries[query_order].astype(np.float64),
        gallery=search.gallery[gallery_order].astype(np.float64),
        own_row=own_row,
        query_order=query_order,
        gallery_order=gallery_order,
        begin=begin,
        end=end,
    )


def invert(order: Rows) -> Rows:
    """Return where an order puts each number."""
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return place


def runs(*columns: Queries) -> Iterator[tuple[int, int]]:
    """Yield first and end of each stretch over which no column changes."""
    length = len(columns[0])
    if not length:
        return
    changes = np.any([column[1:] != column[:-1] for column in columns], axis=0)
    bounds = [0, *(np.flatnonzero(changes) + 1).tolist(), length]
    yield from pairwise(bounds)
