"""GET /metrics: counts and times in Prometheus' text format."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from service.dependencies import READ, runtime
from service.openapi import documentation

router = APIRouter(tags=["health"], dependencies=[Depends(READ)])


@router.get(
    "/metrics",
    response_model=None,
    responses={
        200: {"description": "the metrics", "content": {"text/plain": {}}},
        **documentation.responses(None, documentation.READ_ERRORS),
    },
)
async def metrics(request: Request) -> Response:
    """Return every metric; queues and index as they are now."""
    text = runtime(request).telemetry.render()
    return Response(text, headers={"content-type": CONTENT_TYPE_LATEST})
