"""POST /search/batch: several searches, one status each, all of the same view."""

from __future__ import annotations

import time

from fastapi import APIRouter, Depends, Request, Response

from service.dependencies import READ, runtime
from service.http.bodies import JSON, check_body, parse_json, read_body
from service.http.envelope import REQUEST_ID
from service.openapi import documentation, schemas
from service.searching.batches import BatchRequest, answer_batch
from service.searching.parameters import parse_parameters
from service.searching.presentation import json_response

router = APIRouter(tags=["search"])


@router.post(
    "/search/batch",
    dependencies=[Depends(READ)],
    response_model=None,
    responses=documentation.responses(
        schemas.BatchReply,
        (*documentation.READ_ERRORS, *documentation.BODY_ERRORS, 409),
    ),
    openapi_extra=documentation.batch_operation(),
    summary="Search several times in one request",
)
async def search_batch(request: Request) -> Response:
    """Answer up to 256 searches by `vector`, `features` or `id`, each with its status.

    All are answered from one view of the collection. Batches have threads of their own,
    so that none holds up a single search.
    """
    started = time.perf_counter()
    service = runtime(request)
    collection = service.collection
    limit = service.settings.max_json
    request_id = request.scope[REQUEST_ID]
    with service.batches:
        check_body(request, limit, JSON)
        raw = await read_body(request, limit)
        view = collection.view

        def work() -> list[dict[str, object]]:
            batch = parse_parameters(BatchRequest, parse_json(raw), request.query_params)
            return answer_batch(service, view, batch, request_id)

        results = await service.batch(work)
    took_ms = {"total": round(1e3 * (time.perf_counter() - started), 3)}
    body = {"results": results, "view_seq": view.seq, "took_ms": took_ms}
    return json_response(request, body, view)
