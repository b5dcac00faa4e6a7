"""Measure one direction a block of queries at a time, so that no N x N array exists."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from jaxtyping import Float64

from crossmodal.metrics import curves, expectations
from crossmodal.metrics.confusion import MOST_CLASSES, confuse
from crossmodal.metrics.grouping import group_placed, group_relevant, take_out
from crossmodal.metrics.hubness import occur
from crossmodal.metrics.measures import QuerySums, QueryValues, join, ranks_of
from crossmodal.metrics.ranking import rank, score_keys
from crossmodal.metrics.search import Search, blocks
from crossmodal.relevance import Codes, Matches

PIECE_SCORES = 1 << 23  # multiplied at once: 64 MiB
BLOCK_SCORES = 1 << 19  # ranked at once by each worker: 4 MiB
MOST_WORKERS = 4
NOT_RANKED = -3  # class code of the place behind a ranking that lost a row

Measured = tuple[QueryValues, QuerySums]
Scores = Float64[np.ndarray, "queries rows"]
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
    parts = in_blocks(task.search, lambda scores, start: measure_block(task, scores, start))
    first, sums = next(parts)
    values = [first]
    for value, more in parts:  # added up as they come: sums are as long as the gallery
        values.append(value)
        sums = sums.plus(more)
    return join(values), sums


def in_blocks(search: Search, work: Callable[[Scores, int], Found]) -> Iterator[Found]:
    """Multiply in large pieces, work on their blocks in parallel.

    The product stays out of the workers because a BLAS has threads of its own, which
    keep a core busy for a while after every call.

    Args:
        search: What is ranked for whom.
        work: Takes a block's scores and the number of its first query.

    Returns:
        What the blocks gave, in order.
    """
    queries, rows = len(search.queries), len(search.gallery)
    pieces = blocks(queries, rows, PIECE_SCORES)
    product = np.empty((max(end - begin for begin, end in pieces), rows))
    with ThreadPoolExecutor(min(MOST_WORKERS, os.cpu_count() or 1)) as pool:
        for begin, end in pieces:  # each overwrites the scores of the one before
            scores = product[: end - begin]
            np.matmul(search.queries[begin:end], search.gallery.T, out=scores)
            yield from pool.map(
                lambda block, scores=scores, begin=begin: work(
                    scores[slice(*block)], begin + block[0]
                ),
                blocks(end - begin, rows, BLOCK_SCORES),
            )


def measure_block(
    task: Task, scores: Float64[np.ndarray, "queries rows"], start: int
) -> Measured:
    """Rank the gallery for some queries.

    Args:
        task: What is measured.
        scores: Inner products of the block's queries and the whole gallery.
        start: Number of the block's first query.
    """
    queries, rows = scores.shape
    stop = start + queries
    own_row = task.search.own_row[start:stop]
    ranked = rank(scores, own_row)
    query, row = task.answers.listing(start, stop)
    other = row != own_row[query]
    query, row = query[other], row[other]
    above, size = ranked.place(query, score_keys(scores[query, row], row))
    answers = group_placed(query, above, size, queries)
    groups, without, confusion = answers, answers, None
    if task.classes is not None:
        wanted = task.classes.query[start:stop]
        found = ranked.look_up(task.classes.gallery)
        found[own_row >= 0, -1] = NOT_RANKED
        groups = group_relevant(ranked, found == wanted[:, None])
        without = take_out(groups, query, above, task.classes.gallery[row] == wanted[query])
        if 0 < len(task.classes.names) <= MOST_CLASSES:
            confusion = confuse(
                ranked, groups.total, wanted, found, len(task.classes.names)
            )
    values = QueryValues(
        size=ranked.size,
        relevant=groups.total,
        average_precision=expectations.average_precision(groups),
        without_own_pair=expectations.average_precision(without),
        ranks=ranks_of(answers),
    )
    sums = QuerySums(
        mass=curves.mass_by_depth(groups, rows),
        levels=curves.sum_interpolated(groups),
        occurrence=occur(ranked),
        confusion=confusion,
    )
    return values, sums
