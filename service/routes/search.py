"""POST /search/{direction}: a query in one modality, ranked results in another."""

from __future__ import annotations

import time
from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from crossmodal.errors import ModalityError
from crossmodal.modality import Direction, parse_direction
from index.collection import Collection
from index.view import View
from service import documentation, schemas
from service.dependencies import READ, runtime
from service.parameters import SearchParameters
from service.presentation import (
    compares_all,
    hit_vectors,
    index_fields,
    json_response,
    query_fields,
    result_fields,
)
from service.queries import Given, Query, embed_query, is_upload, read_query
from service.ranking import search
from service.runtime import Runtime
from service.telemetry import STAGES

router = APIRouter(tags=["search"])


@router.post(
    "/search/{direction}",
    dependencies=[Depends(READ)],
    response_model=None,
    responses=documentation.responses(schemas.SearchReply, documentation.QUERY_ERRORS),
    openapi_extra=documentation.search_operation(),
    summary="Search one modality with another",
)
async def search_items(request: Request) -> Response:
    """Rank the gallery's items by their similarity to one query.

    The query is exactly one of `file` (a clip), `features`, `vector` or `id`; the
    direction is `audio2visual`, `visual2audio`, `audio2audio` or `visual2visual`.
    """
    started = time.perf_counter()
    service = runtime(request)
    collection = service.collection
    direction = served_direction(collection, request.path_params["direction"])
    upload = is_upload(request)
    with service.uploads if upload else service.searches:
        given = await read_query(request, service.settings, SearchParameters)

        def work() -> tuple[dict[str, Any], View]:
            return _answer(service, collection, direction, given)

        run = (
            service.embedding if given.source in ("file", "features") else service.searching
        )
        body, view = await run(work)
    took_ms = body["took_ms"]
    service.telemetry.stages(took_ms)
    took_ms["total"] = round(1e3 * (time.perf_counter() - started), 3)
    return json_response(request, body, view)


def served_direction(collection: Collection, text: str) -> Direction:
    """Return the direction, if the collection serves it.

    Raises:
        ModalityError: If this build, the bundle or the collection lacks a modality.
    """
    direction = parse_direction(text)
    if direction.query not in collection.bundle.modalities:
        raise ModalityError(f"no {direction.query} encoder")
    if direction.gallery not in collection.view.sizes:
        raise ModalityError(f"no {direction.gallery} gallery")
    return direction


def _answer(
    service: Runtime,
    collection: Collection,
    direction: Direction,
    given: Given[SearchParameters],
) -> tuple[dict[str, Any], View]:
    view = collection.view
    bundle = collection.bundle
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
    hits = search(view, direction, query, parameters, mask)
    searched_ms = 1e3 * (time.perf_counter() - started)
    vectors = None
    if parameters.with_vector:
        vectors = hit_vectors(view, direction, hits, query.vectors, mask)
    took_ms = {stage: round(query.took_ms.get(stage, 0.0), 3) for stage in STAGES}
    exact = (
        parameters.exact
        or parameters.filter is not None
        or compares_all(view, direction.gallery)
    )
    body = {
        "results": result_fields(view, hits, service.media_fields, vectors),
        "query": query_fields(query),
        "index": index_fields(view, exact=exact),
        "took_ms": {"total": 0.0, **took_ms, "search": round(searched_ms, 3)},
    }
    return body, view
