"""Answering: one search, from what was read to the body of its reply, in one view."""

from __future__ import annotations

import time
from typing import Any

from crossmodal.bundle import Bundle
from crossmodal.errors import ModalityError
from crossmodal.modality import Direction, parse_direction
from index.views.view import View
from service.problems import ProblemError
from service.runtime import Runtime
from service.searching.gathering import Found
from service.searching.parameters import SearchParameters
from service.searching.presentation import (
    compares_all,
    hit_vectors,
    index_fields,
    query_fields,
    result_fields,
)
from service.searching.queries import Given, Query, embed_query
from service.searching.ranking import Search, search
from service.watching.telemetry import QUERY_STAGES


def served_direction(bundle: Bundle, view: View, text: str) -> Direction:
    """Return the direction, if the collection serves it.

    Raises:
        ModalityError: If this build, the bundle or the collection lacks a modality.
        ProblemError: ``unknown-modality``, if the bundle was trained for another.
    """
    direction = parse_direction(text)
    if direction.query not in bundle.modalities:
        raise ModalityError(f"no {direction.query} encoder")
    if direction.gallery not in view.sizes:
        raise ModalityError(f"no {direction.gallery} gallery")
    check_trained(bundle, direction)
    return direction


def check_trained(bundle: Bundle, direction: Direction) -> None:
    """Check that a bundle for one direction is not asked for the other.

    Raises:
        ProblemError: ``unknown-modality``.
    """
    if not bundle.serves(direction):
        raise ProblemError(
            "unknown-modality",
            f"the model was trained for {bundle.manifest.direction} alone; {direction} "
            "needs a collection made with the bundle for it",
        )


def answer_search(
    service: Runtime,
    view: View,
    direction: Direction,
    given: Given[SearchParameters],
) -> dict[str, Any]:
    """Return the body of a search's reply, its total time still 0; runs in a thread.

    Raises:
        ProblemError: If the query cannot be embedded.
        CrossmodalError: If it names an item that is not there, or a clip cannot serve.
    """
    return answer(service, ask(service, view, direction, given))


def answer(service: Runtime, one: Search) -> dict[str, Any]:
    """Search, and return the body of the reply, its total time still 0.

    Raises:
        ProblemError: If a confidence is asked for that the model does not have.
    """
    started = time.perf_counter()
    hits = search(one)
    took_ms = 1e3 * (time.perf_counter() - started)
    return reply(service, one, Found(hits, took_ms))


def ask(
    service: Runtime,
    view: View,
    direction: Direction,
    given: Given[SearchParameters],
) -> Search:
    """Return the search that was asked for, its query embedded.

    That takes no time if the query is a vector or an id, and a thread if not.

    Raises:
        ProblemError: If the query cannot be embedded.
        CrossmodalError: If it names an item that is not there, or a clip cannot serve.
    """
    bundle = service.bundle_of(view)
    if given.source == "id":
        query = Query(
            modality=direction.query,
            source="id",
            vectors=view.vectors(given.value, direction.query),
            item_id=given.value,
        )
    else:
        query = embed_query(
            bundle, service.decoder, service.readiness, direction.query, given
        )
    return Search(
        view=view,
        direction=direction,
        query=query,
        parameters=given.parameters,
        same_modality_mask=bundle.manifest.same_modality_mask,
        confidence=bundle.manifest.confidence.get(direction),
    )


def reply(service: Runtime, one: Search, found: Found) -> dict[str, Any]:
    """Return the body of a search's reply, its total time still 0."""
    view, parameters, query = one.view, one.parameters, one.query
    vectors = None
    if parameters.with_vector:
        vectors = hit_vectors(
            view, one.direction, found.hits, query.vectors, one.same_modality_mask
        )
    took_ms = {stage: round(query.took_ms.get(stage, 0.0), 3) for stage in QUERY_STAGES}
    exact = (
        parameters.exact
        or parameters.filter is not None
        or compares_all(view, one.direction.gallery)
    )
    results = result_fields(view, found.hits, service.media_fields, one.confidence, vectors)
    return {
        "results": results,
        "query": query_fields(query),
        "index": index_fields(view, exact=exact),
        "took_ms": {"total": 0.0, **took_ms, "search": round(found.took_ms, 3)},
    }
