"""One direction's rows, ready to be ranked: masked, the own row known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int

from crossmodal.errors import DataError, ShapeError
from crossmodal.metrics.judged import Judged
from crossmodal.modality import Direction


@dataclass(frozen=True, slots=True)
class Search:
    """What is ranked for whom.

    Attributes:
        queries: Query rows, of norm 1 at most.
        gallery: Gallery rows.
        own_row: The gallery row that is the query itself, -1 where there is none.
    """

    queries: Float32[np.ndarray, "queries dim"]
    gallery: Float32[np.ndarray, "rows dim"]
    own_row: Int[np.ndarray, "queries"]


def blocks(
    queries: int, rows: int, scores: int, *, fewest: int = 1
) -> list[tuple[int, int]]:
    """Cut queries into blocks whose rankings of a gallery fit in memory together.

    Args:
        queries: How many there are.
        rows: Size of the gallery.
        scores: Queries times rows of a block.
        fewest: Queries that make one in any case.

    Returns:
        First query and the one after the last, for each block.
    """
    step = max(fewest, scores // rows)
    return [(start, min(start + step, queries)) for start in range(0, queries, step)]


def prepare_search(
    direction: Direction,
    query: Judged,
    gallery: Judged,
    same_modality_mask: Sequence[int] = (),
) -> Search:
    """Ready a direction's rows.

    Args:
        direction: Which modality searches which. Inside one modality a query's own row,
            by id, leaves its gallery; across modalities it is the answer and stays.
        query: What searches.
        gallery: What is searched.
        same_modality_mask: Dims set to zero in the query inside one modality.

    Raises:
        DataError: If there is no query or no gallery row.
        ShapeError: If the two differ in dim, or the mask names a dim they lack.
    """
    if not len(query) or not len(gallery):
        raise DataError(
            f"{direction} needs queries and a gallery, got {len(query)} queries and "
            f"{len(gallery)} gallery rows"
        )
    dim = gallery.embeddings.shape[1]
    if query.embeddings.shape[1] != dim:
        raise ShapeError(
            f"{direction} needs embeddings of one dim, got {query.embeddings.shape[1]} "
            f"for the queries and {dim} for the gallery"
        )
    if not all(0 <= masked < dim for masked in same_modality_mask):
        raise ShapeError(
            f"the same-modality mask must name dims below {dim}, got "
            f"{list(same_modality_mask)}"
        )
    queries = query.embeddings
    own_row = np.full(len(query), -1)
    if direction.within:
        queries = queries.copy()
        queries[:, list(same_modality_mask)] = 0.0
        row_of = {item: row for row, item in enumerate(gallery.ids)}
        own_row = np.array([row_of.get(item, -1) for item in query.ids])
    return Search(queries, gallery.embeddings, own_row)
