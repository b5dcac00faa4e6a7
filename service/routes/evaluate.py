"""POST /evaluate: the figures of the live index, by the protocol of offline evaluation."""

from __future__ import annotations

import time
from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from index.views.view import View
from service.dependencies import READ, runtime
from service.http.bodies import JSON, check_body, parse_json, read_body
from service.openapi import documentation
from service.openapi.evaluation_schemas import EvaluationReply
from service.runtime import Runtime
from service.searching.judging import EvaluationRequest, judge, report_fields
from service.searching.parameters import validate
from service.searching.presentation import index_fields, json_response

router = APIRouter(tags=["evaluate"])


@router.post(
    "/evaluate",
    dependencies=[Depends(READ)],
    response_model=None,
    responses=documentation.responses(
        EvaluationReply,
        tuple(set(documentation.QUERY_ERRORS) - {404}),
    ),
    openapi_extra=documentation.json_operation(EvaluationRequest),
    summary="Evaluate the live index",
)
async def evaluate_index(request: Request) -> Response:
    """Measure retrieval with the stored items' labels and pairs, or with own queries.

    Average precision goes by label, the rank figures by pair; given `qrels`, both go by
    those. One evaluation runs at a time.
    """
    started = time.perf_counter()
    service = runtime(request)
    _ = service.collection
    limit = service.settings.max_evaluation
    with service.evaluations:
        check_body(request, limit, JSON)
        raw = await read_body(request, limit)
        body, view = await service.evaluation(lambda: _answer(service, raw))
    body["took_ms"] = {"total": round(1e3 * (time.perf_counter() - started), 3)}
    return json_response(request, body, view)


def _answer(service: Runtime, raw: bytes | bytearray) -> tuple[dict[str, Any], View]:
    asked = validate(EvaluationRequest, parse_json(raw))
    collection = service.collection
    view = collection.view
    reports = judge(collection, view, asked)
    body = {
        "directions": {
            str(direction): report_fields(report, curves=asked.curves)
            for direction, report in reports.items()
        },
        "split": asked.split,
        "relevance": {
            str(direction): report.relevance.value for direction, report in reports.items()
        },
        "index": index_fields(view),
    }
    return body, view
