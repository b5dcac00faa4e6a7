"""Health: whether the process lives, whether it can work, and how it does."""

from __future__ import annotations

import os
import time

import orjson
from fastapi import APIRouter, Depends, Request, Response

from crossmodal.bundle import BUNDLE_FORMAT
from crossmodal.media.ffmpeg import ffmpeg_version
from crossmodal.modality import Modality
from index.storage.database import sqlite_version
from service.dependencies import READ, runtime
from service.openapi import documentation, schemas
from service.problems import FieldProblem, ProblemError
from service.searching.presentation import JSON_TYPE, index_fields
from service.threads import THREAD_VARIABLES
from service.version import VERSION

router = APIRouter(tags=["health"])


@router.get(
    "/livez", response_model=None, responses=documentation.responses(schemas.Alive, ())
)
async def alive() -> Response:
    """Answer as long as the process does."""
    return Response(b'{"status":"alive"}', media_type=JSON_TYPE)


@router.get(
    "/readyz",
    response_model=None,
    responses=documentation.responses(schemas.Vitals, (503,)),
)
async def ready(request: Request) -> Response:
    """Answer 200 once the collection is open and a query has gone through every stage."""
    readiness = runtime(request).readiness
    reasons = readiness.reasons
    if not readiness.ready:
        raise ProblemError(
            "not-ready",
            reasons[0] if reasons else "not ready",
            errors=[FieldProblem("service", reason) for reason in reasons],
        )
    return _json({"status": readiness.status, "reasons": reasons})


@router.get(
    "/healthz",
    dependencies=[Depends(READ)],
    response_model=None,
    responses=documentation.responses(schemas.Health, documentation.READ_ERRORS),
)
async def health(request: Request) -> Response:
    """Return the state in detail; 200 even while the service is not ready."""
    service = runtime(request)
    readiness = service.readiness
    view = service.collection.view if readiness.opened else None
    return _json(
        {
            "status": readiness.status,
            "reasons": readiness.reasons,
            "uptime_s": round(time.monotonic() - service.started_s, 1),
            "queues": {
                lane.name: {
                    "places": lane.places,
                    "taken": lane.taken,
                    "refused": lane.refused,
                }
                for lane in service.lanes
            },
            "index": None if view is None else index_fields(view),
            "unserved": {} if view is None else dict(view.unserved),
            "libraries": {"sqlite": sqlite_version(), "ffmpeg": ffmpeg_version()},
            "threads": {name: os.environ.get(name) for name in THREAD_VARIABLES},
        }
    )


@router.get(
    "/version",
    dependencies=[Depends(READ)],
    response_model=None,
    responses=documentation.responses(schemas.Version, documentation.READ_ERRORS),
)
async def version() -> Response:
    """Return what this build is."""
    return _json(
        {
            "name": "earshot",
            "version": VERSION,
            "bundle_format": BUNDLE_FORMAT,
            "modalities": list(Modality),
        }
    )


def _json(body: object) -> Response:
    return Response(orjson.dumps(body), media_type=JSON_TYPE)
