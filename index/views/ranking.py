"""Ranking: candidates of galleries into hits whose order depends on nothing but the data.

Scores are computed again in float64 and sorted by (-round(score, 9), item id, seq), since
float32 scores of the same vectors differ with the shape of the product and equal ones
come in any order. More candidates are fetched until the last hit is strictly above
whatever was not fetched, so ties at the cut are settled too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import repeat
from math import ceil, inf
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

from crossmodal.embeddings import Embeddings
from crossmodal.items import Segment
from index.galleries.gallery import ExactScan, Gallery, exact_scores
from index.views.shelf import Shelf

DECIMALS = 9
_STEP = 10.0**-DECIMALS
_SPARE = 16  # candidates beyond those wanted: near-ties at the cut are then settled at once
_GROWTH = 4
_SCAN_FROM = 4096  # candidates from which an exact scan is cheaper than another search

# negated score, item id, seq, number of the shelf, row on it: sorts as it stands
Place = tuple[float, str, int, int, int]


class Hit(NamedTuple):
    """One place of a ranking, from rank 1; the segment is the one that scored."""

    rank: int
    item_id: str
    score: float
    segment: Segment


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to rank: how many hits after how many, without which items, what a hit is.

    ``by_segment`` makes every segment a hit; else an item is one, by its best segment.
    """

    k: int
    offset: int = 0
    exclude: Collection[str] = ()
    by_segment: bool = False
    exact: bool = False


def rank(
    shelves: Sequence[Shelf], queries: Embeddings, request: Request
) -> list[list[Hit]]:
    """Return the hits of each query over all shelves.

    Args:
        shelves: The parts of one modality's gallery; an item is on one shelf only.
        queries: Rows of norm 1 at most.
        request: What to rank.
    """
    wanted = min(request.offset + request.k, _available(shelves, request))
    count = _first_count(shelves, request, wanted)
    largest = max((len(shelf.gallery) for shelf in shelves), default=0)
    hits: list[list[Hit]] = [[] for _ in queries]
    unsettled = list(range(len(queries))) if wanted > request.offset else []
    while unsettled:
        scan = request.exact or count >= _SCAN_FROM
        part = queries[unsettled]
        found = [_search(shelf.gallery, part, count, scan=scan) for shelf in shelves]
        remaining = []
        for position, number in enumerate(unsettled):
            places: list[Place] = []
            query = queries[number].astype(np.float64)
            for shelf_number, (shelf, (seqs, _)) in enumerate(
                zip(shelves, found, strict=True)
            ):
                places += _places(shelf_number, shelf, seqs[position], query)
            places.sort()
            ranking = _cut(places, wanted, request)
            rest = max(float(bounds[position]) for _, bounds in found)
            if count >= largest or _settled(ranking, wanted, rest):
                hits[number] = _hits(shelves, ranking, request.offset)
            else:
                remaining.append(number)
        unsettled = remaining
        count *= _GROWTH
    return hits


def _available(shelves: Sequence[Shelf], request: Request) -> int:
    """Return how many hits there are in all."""
    if not request.by_segment:
        excluded = sum(
            item_id in shelf for item_id in set(request.exclude) for shelf in shelves
        )
        return sum(shelf.item_count for shelf in shelves) - excluded
    excluded = sum(
        len(shelf.rows_of(item_id)) for item_id in set(request.exclude) for shelf in shelves
    )
    return sum(len(shelf) for shelf in shelves) - excluded


def _first_count(shelves: Sequence[Shelf], request: Request, wanted: int) -> int:
    """Guess how many candidates suffice, from how many are deleted or share an item."""
    candidates = sum(len(shelf.gallery) for shelf in shelves)
    live = sum(len(shelf) for shelf in shelves)
    places = live if request.by_segment else sum(shelf.item_count for shelf in shelves)
    share = candidates / places if places else 1.0
    return ceil((wanted + len(request.exclude)) * share) + _SPARE


def _search(
    gallery: Gallery, queries: Embeddings, count: int, *, scan: bool
) -> tuple[Int64[np.ndarray, "queries found"], Float64[np.ndarray, "queries"]]:
    """Return candidates, and per query what no other vector's score can exceed."""
    engine = ExactScan(gallery) if scan else gallery
    seqs, scores = engine.search(queries, count)
    if count >= len(gallery):
        return seqs, np.full(len(queries), -inf)
    return seqs, scores[:, -1].astype(np.float64) + engine.error


def _places(
    shelf_number: int,
    shelf: Shelf,
    seqs: Int64[np.ndarray, "found"],
    query: Float64[np.ndarray, "dim"],
) -> Iterable[Place]:
    rows = shelf.live_rows(seqs)
    negated = -np.round(exact_scores(shelf.vectors(rows), query), DECIMALS)
    numbers, item_ids = rows.tolist(), shelf.item_ids
    return zip(
        negated.tolist(),
        [item_ids[row] for row in numbers],
        shelf.seqs[rows].tolist(),
        repeat(shelf_number),
        numbers,
        strict=False,  # the number of the shelf has no end
    )


def _cut(places: Sequence[Place], wanted: int, request: Request) -> list[Place]:
    kept: list[Place] = []
    seen = set(request.exclude)
    for place in places:
        item_id = place[1]
        if item_id in seen:
            continue
        if not request.by_segment:
            seen.add(item_id)
        kept.append(place)
        if len(kept) == wanted:
            break
    return kept


def _settled(ranking: Sequence[Place], wanted: int, rest: float) -> bool:
    return len(ranking) == wanted and -ranking[-1][0] > rest + _STEP


def _hits(shelves: Sequence[Shelf], ranking: Sequence[Place], offset: int) -> list[Hit]:
    chosen = ranking[offset:]
    segments = {}
    for number, shelf in enumerate(shelves):
        rows = [row for _, _, _, on_shelf, row in chosen if on_shelf == number]
        for row, segment in zip(rows, shelf.segments(rows), strict=True):
            segments[number, row] = segment
    return [
        Hit(rank, item_id, -negated, segments[shelf, row])
        for rank, (negated, item_id, _, shelf, row) in enumerate(chosen, start=offset + 1)
    ]
