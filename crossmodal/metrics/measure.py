"""Measure one direction a block of queries at a time, so that no N x N array exists."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

from crossmodal.metrics import curves, expectations
from crossmodal.metrics.arrangement import Arranged, arrange, invert
from crossmodal.metrics.confusion import MOST_CLASSES, confuse
from crossmodal.metrics.grouping import group_marked, group_placed, take_out
from crossmodal.metrics.hubness import occur
from crossmodal.metrics.measures import QuerySums, QueryValues, join, ranks_of
from crossmodal.metrics.ranking import REMOVED, Ranked, rank
from crossmodal.metrics.search import Search, blocks
from crossmodal.parallel import in_parallel
from crossmodal.relevance import Codes, Matches

PIECE_SCORES = 1 << 20  # multiplied at once by each thread; their keys take 4 MiB
FEWEST_MULTIPLIED = 128  # queries: with few a product waits for memory
BLOCK_SCORES = 1 << 19  # ranked at once by each thread
FEWEST_RANKED = 16  # queries

Measured = tuple[QueryValues, QuerySums]
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What one direction is measured on.

    Attributes:
        search: Its rows.
        classes: Class codes, the relevance of average precision; None if `answers` are.
        answers: The rows of each query's own pair, or those that judgments name.
    """

    search: Search
    classes: Codes | None
    answers: Matches


def measure(task: Task) -> Measured:
    """Rank the whole gallery for every query, on a few threads."""
    arranged = arrange(task.search, task.classes)
    classes, answers = task.classes, arranged.relocate(task.answers)
    if classes is not None:
        classes = Codes(
            classes.names,
            classes.query[arranged.query_order],
            classes.gallery[arranged.gallery_order],
        )
    parts = in_blocks(
        arranged, lambda ranked, start: _measure_block(ranked, start, classes, answers)
    )
    first, sums = next(parts)
    values = [first]
    for value, more in parts:  # added up as they come: sums are as long as the gallery
        values.append(value)
        sums = sums.plus(more)
    occurrence = sums.occurrence[invert(arranged.gallery_order)]
    return (
        join(values).reordered(invert(arranged.query_order)),
        replace(sums, occurrence=occurrence),
    )


def in_blocks(arranged: Arranged, work: Callable[[Ranked, int], Found]) -> Iterator[Found]:
    """Rank the gallery block by block, in parallel.

    Args:
        arranged: What is ranked for whom.
        work: Takes a block's rankings and the number of its first query.

    Returns:
        What the blocks gave, in order.
    """
    queries, rows = len(arranged.queries), len(arranged.gallery)

    def piece(bounds: tuple[int, int]) -> list[Found]:
        begin, end = bounds
        keys = arranged.keys(begin, end)
        own_row = arranged.own_row[begin:end]
        parts = blocks(end - begin, rows, BLOCK_SCORES, fewest=FEWEST_RANKED)
        return [
            work(rank(keys[start:stop], own_row[start:stop]), begin + start)
            for start, stop in parts
        ]

    pieces = blocks(queries, rows, PIECE_SCORES, fewest=FEWEST_MULTIPLIED)
    for found in in_parallel(piece, pieces):
        yield from found


def _measure_block(
    ranked: Ranked, start: int, classes: Codes | None, answers: Matches
) -> Measured:
    queries, rows = ranked.keys.shape
    stop = start + queries
    query, row = answers.listing(start, stop)
    other = ranked.keys[query, row] != REMOVED
    query, row = query[other], row[other]
    above, size = ranked.place(query, row)
    own = group_placed(query, above, size, queries)
    groups, without, confusion = own, own, None
    if classes is not None:
        wanted = classes.query[start:stop]
        groups = group_marked(ranked)
        without = take_out(groups, query, above, classes.gallery[row] == wanted[query])
        if 0 < len(classes.names) <= MOST_CLASSES:
            confusion = confuse(
                ranked, groups.total, wanted, classes.gallery, len(classes.names)
            )
    values = QueryValues(
        size=ranked.size,
        relevant=groups.total,
        average_precision=expectations.average_precision(groups),
        without_own_pair=expectations.average_precision(without),
        ranks=ranks_of(own),
    )
    sums = QuerySums(
        mass=curves.mass_by_depth(groups, rows),
        levels=curves.sum_interpolated(groups),
        occurrence=occur(ranked),
        confusion=confusion,
    )
    return values, sums
