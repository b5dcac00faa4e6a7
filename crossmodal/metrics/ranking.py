"""Whole rankings, a block of queries at a time, from one integer sort.

Conventions: a score is the float64 inner product rounded to 9 decimals; equal rounded
scores tie. Unit-norm rows keep the rounded score times 1e9 within 31 bits, so the
negated score and the gallery row fit one int64, high half and low half: sorting those
integers ranks the gallery best first and yields the rows, several times faster than
sorting indices by score (numpy sorts integers with vector instructions). Within a tie
rows come in gallery order, which no metric may use.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int, Int32, Int64

SCORE_STEPS = 10**9
ROUNDING = 1.5 * 2**52
ROW_BITS = 32
ROW_MASK = (1 << ROW_BITS) - 1
CACHED_KEYS = 1 << 16  # 512 KiB, of which a pass holds a few copies
REMOVED = (1 << 31) - 1  # worse than any score: what is taken out ranks last

Keys = Int64[np.ndarray, "queries rows"]


def rank(
    scores: Float64[np.ndarray, "queries rows"], own_row: Int[np.ndarray, "queries"]
) -> Ranked:
    """Rank the gallery for every query.

    Args:
        scores: Inner products, of unit-norm embeddings or shorter ones.
        own_row: The gallery row to take out of each query's ranking, -1 for none.
    """
    rows = np.arange(scores.shape[1])
    keys = np.empty(scores.shape, dtype=np.int64)
    removed = np.flatnonzero(own_row >= 0)
    for few in in_cache(*scores.shape):
        part = score_keys(scores[few], rows, out=keys[few])
        if removed.size:
            gone = removed[(removed >= few.start) & (removed < few.stop)]
            part[gone - few.start, own_row[gone]] = (REMOVED << ROW_BITS) | own_row[gone]
        part.sort(axis=1)
    return Ranked(keys, len(rows) - (own_row >= 0))


def score_keys(
    scores: Float64[np.ndarray, "*items"],
    rows: Int[np.ndarray, "..."],
    out: Int64[np.ndarray, "*items"] | None = None,
) -> Int64[np.ndarray, "*items"]:
    """Return the negated score and the gallery row of each item in one integer.

    Adding 1.5 · 2⁵² rounds a float64 to an integer, half to even as rint does, and leaves
    that integer in the low bits; the shift keeps its lowest 32.

    Args:
        scores: Inner products.
        rows: Gallery row of each.
        out: Where to put the keys.
    """
    keys: Int64[np.ndarray, "*items"]
    keys = np.empty(scores.shape, dtype=np.int64) if out is None else out
    steps = keys.view(np.float64)
    np.multiply(scores, -SCORE_STEPS, out=steps)
    steps += ROUNDING
    keys <<= ROW_BITS
    keys += rows
    return keys


def in_cache(queries: int, rows: int) -> list[slice]:
    """Cut queries so that a pass over their rankings stays in a core's cache."""
    step = max(1, CACHED_KEYS // rows)
    return [slice(start, start + step) for start in range(0, queries, step)]


@dataclass(frozen=True, slots=True)
class Ranked:
    """The rankings of a block of queries, best first.

    Attributes:
        keys: Sorted score keys; a removed row stands last.
        size: Items ranked for each query, removed ones not counted.
    """

    keys: Keys
    size: Int[np.ndarray, "queries"]

    def rows(self) -> Keys:
        """Return the gallery row at each rank."""
        return self.keys & ROW_MASK

    def look_up(
        self, codes: Int32[np.ndarray, "gallery"]
    ) -> Int32[np.ndarray, "queries rows"]:
        """Return the code, such as the class, of the gallery row at each rank."""
        found = np.empty(self.keys.shape, dtype=np.int32)
        for few in in_cache(*self.keys.shape):
            found[few] = codes.take(self.keys[few] & ROW_MASK)
        return found

    def mixed(
        self, relevant: Bool[np.ndarray, "queries rows"]
    ) -> Bool[np.ndarray, "queries"]:
        """Tell which rankings have a tie of relevant and other items.

        Args:
            relevant: Whether the item at each rank is relevant.
        """
        found = np.empty(len(self.keys), dtype=np.bool_)
        for few in in_cache(*self.keys.shape):
            turns = relevant[few, 1:] != relevant[few, :-1]
            found[few] = (turns & self.tied(few)).any(axis=1)
        return found

    def tied(
        self, queries: slice | Int[np.ndarray, "some"]
    ) -> Bool[np.ndarray, "some ranks_but_one"]:
        """Tell, for some queries, whether each rank's score is also the next one's."""
        keys = self.keys[queries]
        differing = keys[:, 1:] ^ keys[:, :-1]
        tied: Bool[np.ndarray, "some ranks_but_one"]
        tied = differing.view(np.uint64) <= ROW_MASK  # unsigned: signs may differ
        return tied

    def scores(self) -> Float64[np.ndarray, "queries rows"]:
        """Return the rounded score at each rank."""
        return -(self.keys >> ROW_BITS) / SCORE_STEPS

    def place(
        self, query: Int[np.ndarray, "items"], key: Int64[np.ndarray, "items"]
    ) -> tuple[Int64[np.ndarray, "items"], Int64[np.ndarray, "items"]]:
        """Find the ties that items stand in, by binary search in the query's ranking.

        Args:
            query: The query of each item.
            key: The item's score key under that query.

        Returns:
            How many items score strictly higher, and how many tie, itself included.
        """
        score = key >> ROW_BITS
        bounds = self._count_below(
            np.concatenate([query, query]),
            np.concatenate([score << ROW_BITS, (score + 1) << ROW_BITS]),
        )
        above, through = bounds[: len(query)], bounds[len(query) :]
        return above, through - above

    def top(
        self, depth: Int[np.ndarray, "queries"]
    ) -> tuple[
        Int64[np.ndarray, "places"],
        Int64[np.ndarray, "places"],
        Float64[np.ndarray, "places"],
    ]:
        """List each query's first ``depth`` places, with the chance of standing there.

        Args:
            depth: How deep to go per query, at most its size.

        Returns:
            Query, index into the flattened keys, and weight of each place. Weights of a
            query sum to its depth; a tie across the cut shares the places left in it.
        """
        sure, end, share = (
            depth.astype(np.int64),
            depth.astype(np.int64),
            np.ones(len(depth)),
        )
        cut = np.flatnonzero((depth > 0) & (depth < self.size))
        score = self.keys[cut, depth[cut] - 1] >> ROW_BITS
        split = cut[score == self.keys[cut, depth[cut]] >> ROW_BITS]
        if split.size:
            above, size = self.place(split, self.keys[split, depth[split]])
            sure[split], end[split] = above, above + size
            share[split] = (depth[split] - above) / size
        line = np.arange(len(depth))
        query, start = np.repeat(line, end), line * self.keys.shape[1]
        index = np.arange(len(query)) + np.repeat(start - (np.cumsum(end) - end), end)
        weight = np.ones(len(query))
        if split.size:
            shared = np.flatnonzero(index - start[query] >= sure[query])
            weight[shared] = share[query[shared]]
        return query, index, weight

    def _count_below(
        self, query: Int[np.ndarray, "items"], key: Int64[np.ndarray, "items"]
    ) -> Int64[np.ndarray, "items"]:
        columns = self.keys.shape[1]
        low = np.zeros(len(query), dtype=np.int64)
        high = np.full(len(query), columns)
        for _ in range(columns.bit_length()):
            middle = (low + high) // 2
            below = self.keys[query, np.minimum(middle, columns - 1)] < key
            below &= low < high
            low = np.where(below, middle + 1, low)
            high = np.where(below, high, middle)
        return low
