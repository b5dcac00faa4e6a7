"""Handlers: every exception of a route, and of routing itself, answered as a problem."""

from __future__ import annotations

from asyncio import sleep

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Match

from crossmodal.errors import CrossmodalError
from service.http.envelope import PROBLEM, REQUEST_ID
from service.problems import DETAILS, STATUS, ProblemError, problem_of, problem_response
from service.watching import logs

ANSWERED: tuple[type[Exception], ...] = (
    ProblemError,
    CrossmodalError,
    HTTPException,
    RequestValidationError,
    ClientDisconnect,
)
BUSY_S = 0.5  # before a full queue says so
_OF_ROUTING = {404: "not-found", 405: "method-not-allowed"}


def add_handlers(app: FastAPI) -> None:
    """Answer errors as problems."""
    for kind in ANSWERED:
        app.add_exception_handler(kind, answer)


async def answer(request: Request, error: Exception) -> Response:
    """Return the problem that an exception stands for."""
    request_id: str = request.scope[REQUEST_ID]
    if isinstance(error, HTTPException):
        problem = _of_routing(request, error)
    else:
        problem = problem_of(error)
        record(error, problem, request_id)
    if problem.code == "busy":  # who asks again at once takes the time of those served
        await sleep(BUSY_S)
    request.scope[PROBLEM] = problem.code
    return problem_response(problem, request_id)


def record(error: Exception, problem: ProblemError, request_id: str) -> None:
    """Log an error that is the service's own, under the id the client was told."""
    if problem.code == "internal":
        logs.failure("failed", error, request_id=request_id)
    elif problem.code == "encoder-failing" and problem.__cause__ is not None:
        logs.failure("embedding failed", problem.__cause__, request_id=request_id)


def _of_routing(request: Request, error: HTTPException) -> ProblemError:
    code = _OF_ROUTING.get(error.status_code, "malformed-request")
    headers = {"allow": _allowed(request)} if code == "method-not-allowed" else None
    return ProblemError(code, DETAILS.get(code, STATUS[code].title), headers=headers)


def _allowed(request: Request) -> str:
    """Return every method of a path; routing itself names those of one route only."""
    scope = request.scope
    scope = {**scope, "root_path": scope.get("app_root_path", "")}  # out of any mount
    methods: set[str] = set()
    for route in request.app.routes:
        if route.matches(scope)[0] is not Match.NONE:
            methods.update(getattr(route, "methods", None) or ("GET", "HEAD"))
    return ", ".join(sorted(methods))
