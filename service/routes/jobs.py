"""POST /jobs, GET /jobs, GET and DELETE /jobs/{id}: long work in the background."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field, model_validator

from crossmodal.errors import UnknownJobError
from index.jobs.queue import Jobs
from index.storage.job import Job
from index.work import SWITCH
from service.dependencies import ADMIN, READ, runtime
from service.http.bodies import JSON, check_body, parse_json, read_body
from service.openapi import documentation, schemas
from service.problems import ProblemError
from service.runtime import Runtime
from service.searching.parameters import Strict, validate
from service.searching.presentation import json_response

router = APIRouter(tags=["jobs"])

_ERRORS = (*documentation.READ_ERRORS, 409)
_JOB_ID = {"parameters": [documentation.path_parameter("job_id", "the job's id")]}


class JobRequest(Strict):
    """What to do.

    ``compact`` makes the index files anew from everything stored. The others need a
    bundle that was laid beside the one in use, on the machine itself: ``reembed`` embeds
    everything by it, ``switch`` does so and serves it from then on, ``discard`` removes
    it with its vectors.
    """

    kind: Literal["compact", "reembed", "switch", "discard"]
    partial: bool = Field(
        default=False,
        description="of a switch: leave items that cannot be embedded out of searches",
    )

    @model_validator(mode="after")
    def _check(self) -> JobRequest:
        if self.partial and self.kind != SWITCH:
            raise ValueError("only a switch may be partial")
        return self

    @property
    def params(self) -> dict[str, Any]:
        """What the work is told."""
        return {"partial": self.partial} if self.kind == SWITCH else {}


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
    jobs = _changeable(service)
    limit = service.settings.max_json
    with service.writes:
        check_body(request, limit, JSON)
        asked = validate(JobRequest, parse_json(await read_body(request, limit)))
        job = await service.writing(lambda: jobs.start(asked.kind, asked.params))
    headers = {"location": f"/jobs/{job.id}"}
    view = service.collection.view
    return json_response(request, job_fields(job), view, status=202, headers=headers)


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
    jobs = service.jobs
    kept = await service.writing(jobs.all) if jobs is not None else []
    body = {"jobs": [job_fields(job) for job in kept]}
    return json_response(request, body, service.collection.view)


@router.get(
    "/jobs/{job_id}",
    dependencies=[Depends(READ)],
    response_model=None,
    responses=documentation.responses(schemas.JobWithIdReply, (*_ERRORS, 404)),
    openapi_extra=_JOB_ID,
    summary="Look at long work",
)
async def get_job(request: Request) -> Response:
    """Return one job."""
    service = runtime(request)
    jobs, job_id = service.jobs, request.path_params["job_id"]
    if jobs is None:
        raise UnknownJobError("a service that only reads has no jobs")
    job = await service.writing(lambda: jobs.get(job_id))
    return json_response(request, job_fields(job), service.collection.view)


@router.delete(
    "/jobs/{job_id}",
    dependencies=[Depends(ADMIN)],
    response_model=None,
    responses=documentation.responses(
        schemas.JobWithIdReply, (*documentation.KEPT_ERRORS, 404)
    ),
    openapi_extra=_JOB_ID,
    summary="Cancel long work",
)
async def cancel_job(request: Request) -> Response:
    """Ask a job to end without its result; one that has ended stays as it is.

    What waits is `cancelled` at once; what runs is `cancelling` until its next step.
    """
    service = runtime(request)
    jobs, job_id = _changeable(service), request.path_params["job_id"]
    with service.writes:
        job = await service.writing(lambda: jobs.cancel(job_id))
    return json_response(request, job_fields(job), service.collection.view)


def job_fields(job: Job) -> dict[str, Any]:
    """Return what is told of a job; what it was told itself is not."""
    return {
        "id": job.id,
        "kind": job.kind,
        "state": job.state,
        "progress": {"done": job.done, "total": job.total},
        "started": job.started,
        "updated": job.updated,
        "error": job.error,
        "result": job.result,
    }


def _changeable(service: Runtime) -> Jobs:
    if service.jobs is None:
        raise ProblemError("forbidden", "this service only reads its collection")
    return service.jobs
