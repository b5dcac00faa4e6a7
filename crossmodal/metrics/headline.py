"""The headline alone: one figure per query, for a training that scores every epoch.

Equal to what the evaluation card reports, without the rest of it.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from crossmodal.metrics import expectations
from crossmodal.metrics.arrangement import arrange, invert
from crossmodal.metrics.grouping import group_marked, group_placed
from crossmodal.metrics.judged import Judged
from crossmodal.metrics.measure import in_blocks
from crossmodal.metrics.ranking import Ranked
from crossmodal.metrics.search import Search, prepare_search
from crossmodal.modality import Direction
from crossmodal.relevance import Codes, Relevance, encode, match

PerQuery = Float64[np.ndarray, "queries"]


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
    classes = encode(query.keys(Relevance.CLASS), gallery.keys(Relevance.CLASS))
    return average_precision(prepare_search(direction, query, gallery), classes)


def average_precision(search: Search, classes: Codes) -> PerQuery:
    """Return each query's AP, NaN where nothing is relevant.

    Args:
        search: What is ranked for whom.
        classes: What is relevant to whom.
    """
    arranged = arrange(search, classes)

    def measure(ranked: Ranked, start: int) -> PerQuery:
        return expectations.average_precision(group_marked(ranked))

    values: PerQuery = np.concatenate(list(in_blocks(arranged, measure)))
    values = values[invert(arranged.query_order)]
    return values


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
    arranged = arrange(prepare_search(direction, query, gallery), None)
    answers = match(
        encode(query.keys(Relevance.INSTANCE), gallery.keys(Relevance.INSTANCE))
    )

    def measure(ranked: Ranked, start: int) -> PerQuery:
        queries = len(ranked.keys)
        line, row = answers.listing(start, start + queries)
        above, size = ranked.place(line, row)
        return expectations.reciprocal_rank(group_placed(line, above, size, queries))

    return np.concatenate(list(in_blocks(arranged, measure)))
