"""The headline alone: one figure per query, for a training that scores every epoch.

Equal to what the evaluation card reports, without the rest of it.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from crossmodal.metrics import expectations
from crossmodal.metrics.grouping import group_placed, group_relevant
from crossmodal.metrics.judged import Judged
from crossmodal.metrics.measure import in_blocks
from crossmodal.metrics.ranking import rank, score_keys
from crossmodal.metrics.search import prepare_search
from crossmodal.modality import Direction
from crossmodal.relevance import Relevance, encode, match

PerQuery = Float64[np.ndarray, "queries"]
Scores = Float64[np.ndarray, "queries rows"]


def average_precision_by_class(
    direction: Direction, query: Judged, gallery: Judged
) -> PerQuery:
    """Return each query's AP under class relevance, NaN where nothing is relevant.

    Args:
        direction: Which modality searches which, two distinct ones.
        query: What searches.
        gallery: What is searched.

    Raises:
        DataError: If there is no query or no gallery row.
        ShapeError: If the two differ in dim.
    """
    search = prepare_search(direction, query, gallery)
    classes = encode(query.keys(Relevance.CLASS), gallery.keys(Relevance.CLASS))

    def measure(scores: Scores, start: int) -> PerQuery:
        stop = start + len(scores)
        ranked = rank(scores, search.own_row[start:stop])
        found = ranked.look_up(classes.gallery)
        groups = group_relevant(ranked, found == classes.query[start:stop, None])
        return expectations.average_precision(groups)

    return np.concatenate(list(in_blocks(search, measure)))


def reciprocal_rank_of_own_pair(
    direction: Direction, query: Judged, gallery: Judged
) -> PerQuery:
    """Return each query's reciprocal rank of its own pair, NaN where it has none.

    Args:
        direction: Which modality searches which, two distinct ones.
        query: What searches.
        gallery: What is searched.

    Raises:
        DataError: If there is no query or no gallery row.
        ShapeError: If the two differ in dim.
    """
    search = prepare_search(direction, query, gallery)
    answers = match(
        encode(query.keys(Relevance.INSTANCE), gallery.keys(Relevance.INSTANCE))
    )

    def measure(scores: Scores, start: int) -> PerQuery:
        stop = start + len(scores)
        ranked = rank(scores, search.own_row[start:stop])
        line, row = answers.listing(start, stop)
        above, size = ranked.place(line, score_keys(scores[line, row], row))
        return expectations.reciprocal_rank(group_placed(line, above, size, len(scores)))

    return np.concatenate(list(in_blocks(search, measure)))
