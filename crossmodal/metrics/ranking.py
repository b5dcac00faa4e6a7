"""Whole rankings of a block of queries, from one sort of 32-bit integers.

Conventions: a score is the float64 inner product rounded to 9 decimals; equal rounded
scores tie. Unit-norm rows keep the rounded score times 1e9 within 31 bits, so the
negated score and a mark fit one int32: sorting these keys ranks the gallery best first
and carries the mark, such as whether the item is relevant, to its rank; numpy sorts
integers with vector instructions, short ones fastest. Within a tie the marked items come
last, which no metric may use.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int, Int32, Int64

SCORE_STEPS = 10**9
REMOVED = (1 << 31) - 2  # worse than any score: what is taken out ranks last, unmarked
TILE_SCORES = 1 << 17  # float64 at once: 1 MiB, within a core's cache
FEWEST_TILE_ROWS = 256

Keys = Int32[np.ndarray, "queries rows"]


def multiply(
    queries: Float64[np.ndarray, "queries dim"], gallery: Float64[np.ndarray, "rows dim"]
) -> Keys:
    """Return the keys of all inner products; those exist a tile at a time only."""
    keys = np.empty((len(queries), len(gallery)), dtype=np.int32)
    step = max(FEWEST_TILE_ROWS, TILE_SCORES // max(1, len(queries)))
    for start in range(0, len(gallery), step):
        tile = slice(start, start + step)
        keys[:, tile] = score_keys(queries @ gallery[tile].T)
    return keys


def score_keys(scores: Float64[np.ndarray, "*items"]) -> Int32[np.ndarray, "*items"]:
    """Return the unmarked keys of scores, of unit-norm embeddings or shorter ones."""
    steps = scores * -float(SCORE_STEPS)
    np.rint(steps, out=steps)
    keys: Int32[np.ndarray, "*items"] = steps.astype(np.int32)
    keys <<= 1
    return keys


def rank(keys: Keys, own_row: Int[np.ndarray, "queries"] | None = None) -> Ranked:
    """Rank the gallery for every query.

    Args:
        keys: A key for every query and gallery row, marked or not; kept, not copied.
        own_row: The gallery row that each query's keys were taken out of with
            ``REMOVED``, -1 for none; None for none at all.
    """
    best = keys.copy()
    best.sort(axis=1)
    size = np.full(len(keys), keys.shape[1])
    return Ranked(keys, best, size if own_row is None else size - (own_row >= 0))


@dataclass(frozen=True, slots=True)
class Ranked:
    """The rankings of a block of queries.

    Attributes:
        keys: Of each gallery row, in the gallery's order.
        best: The same keys, best first; removed rows stand last.
        size: Items ranked for each query, removed ones not counted.
    """

    keys: Keys
    best: Keys
    size: Int[np.ndarray, "queries"]

    def marked(self) -> Bool[np.ndarray, "queries rows"]:
        """Tell whether the item at each rank is marked."""
        marked: Bool[np.ndarray, "queries rows"] = (self.best & 1).astype(np.bool_)
        return marked

    def rows(self) -> Int64[np.ndarray, "queries rows"]:
        """Return the gallery row at each rank, ties in the gallery's order."""
        wide = self.keys.astype(np.int64) >> 1
        wide <<= 32
        wide += np.arange(self.keys.shape[1])
        wide.sort(axis=1)
        wide &= (1 << 32) - 1
        return wide

    def scores(self) -> Float64[np.ndarray, "queries rows"]:
        """Return the rounded score at each rank."""
        return -(self.best >> 1) / SCORE_STEPS

    def place(
        self, query: Int[np.ndarray, "items"], row: Int[np.ndarray, "items"]
    ) -> tuple[Int64[np.ndarray, "items"], Int64[np.ndarray, "items"]]:
        """Find the ties that items stand in, by binary search in the query's ranking.

        Args:
            query: The query of each item.
            row: The item's row of the gallery.

        Returns:
            How many items score strictly higher, and how many tie, itself included.
        """
        first = self.keys[query, row].astype(np.int64) & ~1
        above = self.count_below(query, first)
        return above, self.count_below(query, first + 2) - above

    def top(self, depth: Int[np.ndarray, "queries"]) -> Top:
        """Return each query's first ``depth`` places, at most its size."""
        line = np.arange(len(depth))
        last = self.best[line, np.maximum(depth, 1) - 1] | 1
        last[depth == 0] = np.iinfo(np.int32).min
        following = self.best[line, np.minimum(depth, self.keys.shape[1] - 1)]
        split = np.flatnonzero((depth > 0) & (depth < self.size) & (following <= last))
        above = self.count_below(split, last[split].astype(np.int64) & ~1)
        tied = (self.keys[split] | 1) == last[split, None]
        last[split] -= 2
        return Top(
            sure=self.keys <= last[:, None],
            split=split,
            tied=tied,
            share=(depth[split] - above) / np.count_nonzero(tied, axis=1),
        )

    def count_below(
        self, query: Int[np.ndarray, "items"], key: Int[np.ndarray, "items"]
    ) -> Int64[np.ndarray, "items"]:
        """Return how many keys of the query's ranking are less, by binary search."""
        columns = self.best.shape[1] if len(query) else 0
        low = np.zeros(len(query), dtype=np.int64)
        high = np.full(len(query), columns)
        for _ in range(columns.bit_length()):
            middle = (low + high) // 2
            below = self.best[query, np.minimum(middle, columns - 1)] < key
            below &= low < high
            low = np.where(below, middle + 1, low)
            high = np.where(below, high, middle)
        return low


@dataclass(frozen=True, slots=True)
class Top:
    """The first places of some rankings, a tie across the cut sharing what it is left.

    Attributes:
        sure: Whether each gallery row stands there.
        split: Queries whose cut runs through a tie.
        tied: Whether each gallery row stands in that tie.
        share: Its rows' chance to be among the first.
    """

    sure: Bool[np.ndarray, "queries rows"]
    split: Int[np.ndarray, "split"]
    tied: Bool[np.ndarray, "split rows"]
    share: Float64[np.ndarray, "split"]

    def sum_rows(self, start: int, stop: int) -> Float64[np.ndarray, "rows"]:
        """Sum over queries ``start`` to ``stop`` each row's chance to be there."""
        total = np.zeros(self.sure.shape[1])
        for few in range(start, stop, 255):  # bytes add up fastest, and hold no more
            part = self.sure[few : min(few + 255, stop)].view(np.uint8)
            total += part.sum(axis=0, dtype=np.uint8)
        these = slice(*np.searchsorted(self.split, [start, stop]))
        total += self.share[these] @ self.tied[these]
        return total
