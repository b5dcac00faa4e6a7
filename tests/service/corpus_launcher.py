"""Starts the service with short limits for media; a mutant named changes it in one way."""

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
from service import __main__, app, handlers, runtime
from service.problems import STATUS, problem_of

NAME = "tests.service.corpus_launcher"
WALL_S, CPU_S = 4.0, 3
CHILD = "tests.service.corpus_child"


def limit(**more: Any) -> None:
    """Let decoding cost little, so that the bombs end soon."""
    runtime.MediaLimits = lambda **given: MediaLimits(  # type: ignore[misc, assignment]
        **given, wall_s=WALL_S, cpu_s=CPU_S, **more
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
    "no format whitelist": any_format,
    "no RLIMIT_AS": lambda: limit(address_space=2 << 30),
    "default 422 handler": default_422,
}

if __name__ == "__main__":
    mutant, data = sys.argv[1:]
    limit()
    MUTANTS[mutant]()
    sys.argv = ["service", "serve", "--data", data]
    __main__.app()
