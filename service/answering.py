"""Answering: one search, from what was read to the body of its reply, in one view."""

from __future__ import annotations

import time
from typing import Any

from crossmodal.bundle import Bundle
from crossmodal.errors import ModalityError
from crossmodal.modality import Direction, parse_direction
from index.view import View
from service.parameters import SearchParameters
from service.presentation import (
    compares_all,
    hit_vectors,
    index_fields,
    query_fields,
    result_fields,
)
from service.queries import Given, Query, embed_query
from service.ranking import search
from service.runtime import Runtime
from service.telemetry import QUERY_STAGES


def served_direction(bundle: Bundle, view: View, text: str) -> Direction:
    """Return the direction, if the collection serves it.

    Raises:
        ModalityError: If this build, the bundle or the collection lacks a modality.
    """
    direction = parse_direction(text)
    if direction.query not in bundle.modalities:
        raise ModalityError(f"no {direction.query} encoder")
    if direction.gallery not in view.sizes:
        raise ModalityError(f"no {direction.gallery} gallery")
    return direction


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
    parameters = given.parameters
    started = time.perf_counter()
    mask = bundle.manifest.same_modality_mask
    confidence = bundle.manifest.confidence.get(direction)
    hits = search(view, direction, query, parameters, mask, confidence)
    searched_ms = 1e3 * (time.perf_counter() - started)
    vectors = None
    if parameters.with_vector:
        vectors = hit_vectors(view, direction, hits, query.vectors, mask)
    took_ms = {stage: round(query.took_ms.get(stage, 0.0), 3) for stage in QUERY_STAGES}
    exact = (
        parameters.exact
        or parameters.filter is not None
        or compares_all(view, direction.gallery)
    )
    return {
        "results": result_fields(view, hits, service.media_fields, confidence, vectors),
        "query": query_fields(query),
        "index": index_fields(view, exact=exact),
        "took_ms": {"total": 0.0, **took_ms, "search": round(searched_ms, 3)},
    }
