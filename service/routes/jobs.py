"""POST /jobs, GET /jobs and /jobs/{id}: long work that goes on in the background."""

from __future__ import annotations

from dataclasses import asdict
from typing import Literal

from fastapi import APIRouter, Depends, Request, Response

from crossmodal.errors import UnknownJobError
from service import documentation, schemas
from service.bodies import JSON, check_body, parse_json, read_body
from service.dependencies import ADMIN, READ, runtime
from service.parameters import Strict, validate
from service.presentation import json_response
from service.writing import writable

router = APIRouter(tags=["jobs"])

_ERRORS = (*documentation.READ_ERRORS, 409)


class JobRequest(Strict):
    """What to do: ``compact`` makes the index files anew from everything stored."""

    kind: Literal["compact"]


@router.post(
    "/jobs",
    dependencies=[Depends(ADMIN)],
    response_model=None,
    status_code=202,
    responses=documentation.responses(
        None,
        documentation.WRITE_ERRORS,
        also={202: schemas.JobWithIdReply},
    ),
    openapi_extra=documentation.json_operation(JobRequest),
    summary="Begin long work",
)
async def start_job(request: Request) -> Response:
    """Ask for work; it goes on after the answer, and after a restart if need be.

    One of the kind that waits already serves everyone who asks.
    """
    service = runtime(request)
    collection = writable(service)
    limit = service.settings.max_json
    with service.writes:
        check_body(request, limit, JSON)
        asked = validate(JobRequest, parse_json(await read_body(request, limit)))
        job = await service.writing(lambda: collection.jobs.start(asked.kind))
    headers = {"location": f"/jobs/{job.id}"}
    return json_response(request, asdict(job), collection.view, status=202, headers=headers)


@router.get(
    "/jobs",
    dependencies=[Depends(READ)],
    response_model=None,
    responses=documentation.responses(schemas.JobsReply, _ERRORS),
    summary="List long work",
)
async def list_jobs(request: Request) -> Response:
    """Return the last hundred jobs, newest first; none if the service only reads."""
    service = runtime(request)
    collection = service.collection
    jobs = await service.writing(collection.jobs.all) if collection.writable else []
    body = {"jobs": [asdict(job) for job in jobs]}
    return json_response(request, body, collection.view)


@router.get(
    "/jobs/{job_id}",
    dependencies=[Depends(READ)],
    response_model=None,
    responses=documentation.responses(schemas.JobWithIdReply, (*_ERRORS, 404)),
    openapi_extra={"parameters": [documentation.path_parameter("job_id", "the job's id")]},
    summary="Look at long work",
)
async def get_job(request: Request) -> Response:
    """Return one job."""
    service = runtime(request)
    collection = service.collection
    job_id = request.path_params["job_id"]
    if not collection.writable:
        raise UnknownJobError("a service that only reads has no jobs")
    job = await service.writing(lambda: collection.jobs.get(job_id))
    return json_response(request, asdict(job), collection.view)
