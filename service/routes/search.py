"""POST /search/{direction}: a query in one modality, ranked results in another."""

from __future__ import annotations

import time

from fastapi import APIRouter, Depends, Request, Response

from service.dependencies import READ, runtime
from service.openapi import documentation, schemas
from service.routes.direct import DirectRoute
from service.searching.answering import answer, answer_search, ask, reply, served_direction
from service.searching.parameters import SearchParameters
from service.searching.presentation import json_response
from service.searching.queries import is_upload, read_query

router = APIRouter(tags=["search"], route_class=DirectRoute)
MOST_HITS = 100  # more take longer to find and to describe than the event loop may wait


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
    text = request.path_params["direction"]
    direction = served_direction(collection.bundle, collection.view, text)
    with service.uploads if is_upload(request) else service.searches:
        given = await read_query(request, service.settings, SearchParameters)
        view = collection.view
        if given.source in ("file", "features"):
            body = await service.embedding(
                lambda: answer_search(service, view, direction, given)
            )
        else:
            one = ask(service, view, direction, given)
            if one.kind is None or given.parameters.k > MOST_HITS:
                body = await service.searching(lambda: answer(service, one))
            else:
                body = reply(service, one, await service.gathering.hits(one))
    took_ms = body["took_ms"]
    service.telemetry.stages(took_ms)
    took_ms["total"] = round(1e3 * (time.perf_counter() - started), 3)
    return json_response(request, body, view)
