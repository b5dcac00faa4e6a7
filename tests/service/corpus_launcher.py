"""Starts the service, changed in one way if a mutant is named.

Decoding gets little processor time, so that bombs end soon, and more time in all than it
needs on a machine that stands still for a while; `REAL_LIMITS` leaves both as they are.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

from fastapi.responses import JSONResponse
from starlette.requests import Request
from starlette.responses import Response

from crossmodal.media import forkserver
from crossmodal.media.limits import MediaLimits
from service import __main__, app, runtime
from service.http import handlers
from service.problems import STATUS, problem_of

NAME = "tests.service.corpus_launcher"
REAL_LIMITS = "real limits"
CHILD = "tests.service.corpus_child"


def limit(cpu_s: int = 3, **more: Any) -> None:
    """Let decoding cost this much."""
    runtime.MediaLimits = lambda **given: MediaLimits(  # type: ignore[misc, assignment]
        **given, wall_s=60.0, cpu_s=cpu_s, **more
    )


def any_format() -> None:
    """Let FFmpeg take every format that it knows."""

    def popen(command: list[str], **named: Any) -> subprocess.Popen[bytes]:
        return subprocess.Popen([*command[:-1], CHILD], **named)

    forkserver.subprocess = SimpleNamespace(  # type: ignore[assignment]
        Popen=popen, DEVNULL=subprocess.DEVNULL, TimeoutExpired=subprocess.TimeoutExpired
    )


def default_422() -> None:
    """Answer invalid requests as a framework does that shows what it was sent."""
    answer = handlers.answer

    async def echo(request: Request, error: Exception) -> Response:
        problem = problem_of(error)
        if STATUS[problem.code].status != 422:
            return await answer(request, error)
        sent = {"loc": ["body"], "msg": problem.detail, "input": str(request.url)}
        return JSONResponse({"detail": [sent]}, 422)

    def add(application: Any) -> None:
        for kind in handlers.ANSWERED:
            application.add_exception_handler(kind, echo)

    app.add_handlers = add


MUTANTS: Mapping[str, Callable[[], None]] = {
    "": lambda: None,
    REAL_LIMITS: lambda: None,
    "no format whitelist": any_format,
    "no RLIMIT_AS": lambda: limit(30, address_space=2 << 30),
    "default 422 handler": default_422,
}

if __name__ == "__main__":
    mutant, data = sys.argv[1:]
    if mutant != REAL_LIMITS:
        limit()
    MUTANTS[mutant]()
    sys.argv = ["service", "serve", "--data", data]
    __main__.app()
