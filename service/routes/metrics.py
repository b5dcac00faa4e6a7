"""GET /metrics: counts and times in Prometheus' text format."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from service import documentation
from service.dependencies import READ, runtime

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
    service = runtime(request)
    telemetry = service.telemetry
    telemetry.set_ready(service.readiness.ready)
    for lane in service.lanes:
        telemetry.set_places(lane.name, lane.places, lane.taken)
    if service.readiness.opened:
        view = service.collection.view
        telemetry.set_view(view.seq, {str(m): n for m, n in view.segments.items()})
    return Response(telemetry.render(), headers={"content-type": CONTENT_TYPE_LATEST})
