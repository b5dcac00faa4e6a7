"""Ranking: from embedded queries to hits, under the parameters of their searches."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from crossmodal.confidence import Confidence
from crossmodal.modality import Direction
from index.views.ranking import Hit
from index.views.view import View
from service.problems import invalid_field
from service.searching.parameters import SearchParameters
from service.searching.queries import Query


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """One search: what is asked, of which view, and what the model says of scores.

    Inside one modality a stored item does not find itself, and the bundle's mask is
    applied; across modalities the item's own other track is an answer like any other.
    """

    view: View
    direction: Direction
    query: Query
    parameters: SearchParameters
    same_modality_mask: Sequence[int] = ()
    confidence: Confidence | None = None

    @property
    def mask(self) -> Sequence[int]:
        """The dimensions of the query that do not count."""
        return self.same_modality_mask if self.direction.within else ()

    @property
    def kind(self) -> Hashable | None:
        """What searches that can be run as one have in common; None if it runs alone."""
        asked = self.parameters
        own = self.direction.within and self.query.item_id is not None
        if own or asked.exclude or asked.exact or asked.filter is not None:
            return None
        if len(self.query.vectors) > 1:
            return None
        gallery = self.direction.gallery
        where = (id(self.view), gallery, tuple(self.mask))
        return (*where, asked.k, asked.offset, asked.group_by)


def search(one: Search) -> list[Hit]:
    """Return the hits of one query, best first.

    Raises:
        ProblemError: If a confidence is asked for that the model does not have.
    """
    _check(one)
    parameters, query = one.parameters, one.query
    excluded: Collection[str] = parameters.exclude
    if one.direction.within and query.item_id is not None:
        excluded = [*excluded, query.item_id]
    several = len(query.vectors) > 1
    # of several segments' rankings any place may move up, so they are cut after merging
    rankings = one.view.search(
        one.direction.gallery,
        query.vectors,
        parameters.k + parameters.offset if several else parameters.k,
        offset=0 if several else parameters.offset,
        exclude=excluded,
        mask=one.mask,
        group=parameters.group_by,
        exact=parameters.exact,
        filter=parameters.filter.meant() if parameters.filter is not None else None,
    )
    return _good(one, _merge(rankings, parameters) if several else rankings[0])


def search_alike(searches: Sequence[Search]) -> list[list[Hit]]:
    """Return the hits of each of several searches of one kind, run as one.

    Raises:
        ProblemError: If a confidence is asked for that the model does not have.
    """
    for one in searches:
        _check(one)
    first = searches[0]
    rankings = first.view.search(
        first.direction.gallery,
        np.concatenate([one.query.vectors for one in searches]),
        first.parameters.k,
        offset=first.parameters.offset,
        mask=first.mask,
        group=first.parameters.group_by,
    )
    return [_good(one, hits) for one, hits in zip(searches, rankings, strict=True)]


def _check(one: Search) -> None:
    if one.parameters.min_confidence is not None and one.confidence is None:
        raise invalid_field(
            "min_confidence",
            f"the model does not say how sure {one.direction} is; export it again with "
            "the data of its fit at hand",
        )


def _good(one: Search, hits: list[Hit]) -> list[Hit]:
    """Return the hits that are as good as was asked for."""
    least, sure = one.parameters.score_threshold, one.parameters.min_confidence
    if least is not None:
        hits = [hit for hit in hits if hit.score >= least]
    if sure is not None and one.confidence is not None:
        hits = [hit for hit in hits if one.confidence.of(hit.score) >= sure]
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
