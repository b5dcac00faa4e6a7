"""Ranking: from an embedded query to hits, under the parameters of a search."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from crossmodal.confidence import Confidence
from crossmodal.modality import Direction
from index.ranking import Hit
from index.view import View
from service.parameters import SearchParameters
from service.problems import invalid_field
from service.queries import Query


def search(
    view: View,
    direction: Direction,
    query: Query,
    parameters: SearchParameters,
    same_modality_mask: Sequence[int] = (),
    confidence: Confidence | None = None,
) -> list[Hit]:
    """Return the hits of one query, best first.

    Inside one modality a stored item does not find itself, and the bundle's mask is
    applied; across modalities the item's own other track is an answer like any other.

    Raises:
        ProblemError: If a confidence is asked for that the model does not have.
    """
    if parameters.min_confidence is not None and confidence is None:
        raise invalid_field(
            "min_confidence",
            f"the model does not say how sure {direction} is; export it again with the "
            "data of its fit at hand",
        )
    excluded: Collection[str] = parameters.exclude
    if direction.within and query.item_id is not None:
        excluded = [*excluded, query.item_id]
    several = len(query.vectors) > 1
    # of several segments' rankings any place may move up, so they are cut after merging
    rankings = view.search(
        direction.gallery,
        query.vectors,
        parameters.k + parameters.offset if several else parameters.k,
        offset=0 if several else parameters.offset,
        exclude=excluded,
        mask=same_modality_mask if direction.within else (),
        group=parameters.group_by,
        exact=parameters.exact,
        filter=parameters.filter.meant() if parameters.filter is not None else None,
    )
    hits = _merge(rankings, parameters) if several else rankings[0]
    if parameters.score_threshold is not None:
        hits = [hit for hit in hits if hit.score >= parameters.score_threshold]
    if parameters.min_confidence is not None and confidence is not None:
        hits = [
            hit for hit in hits if confidence.of(hit.score) >= parameters.min_confidence
        ]
    return hits


def _merge(rankings: Sequence[Sequence[Hit]], parameters: SearchParameters) -> list[Hit]:
    """Return one ranking in which each place has its best score over the rankings."""
    by_segment = parameters.group_by == "segment"
    best: dict[object, Hit] = {}
    for hit in (hit for ranking in rankings for hit in ranking):
        place = (hit.item_id, hit.segment) if by_segment else hit.item_id
        if place not in best or hit.score > best[place].score:
            best[place] = hit
    ordered = sorted(
        best.values(), key=lambda hit: (-hit.score, hit.item_id, hit.segment.start_s)
    )
    cut = ordered[parameters.offset : parameters.offset + parameters.k]
    return [
        hit._replace(rank=rank) for rank, hit in enumerate(cut, start=parameters.offset + 1)
    ]
