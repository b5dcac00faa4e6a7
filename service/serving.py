"""Serving: one process, with deadlines, that says clearly why it will not start."""

from __future__ import annotations

import sys

import uvicorn
from fastapi import FastAPI

from crossmodal.errors import CollectionLockedError, ModelMismatchError
from service.http.deadlines import protocol_with
from service.settings import Settings

FAILED, LOCKED = 1, 3


def server_config(app: FastAPI, settings: Settings) -> uvicorn.Config:
    """Return how uvicorn serves the application.

    Forwarding headers are none of its business: what they claim opens nothing here.
    """
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=protocol_with(settings),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=settings.shutdown_timeout_s,
    )


def run(app: FastAPI, settings: Settings) -> int:
    """Serve until told to stop; return the exit code.

    A collection that cannot be opened ends the process, except one of another model:
    that is answered with 409 and told by /readyz, until it is rebuilt. An address that
    cannot be bound ends it as well.
    """
    server = uvicorn.Server(server_config(app, settings))
    runtime = app.state.runtime

    def give_up() -> None:
        if not isinstance(runtime.failed, ModelMismatchError):
            server.should_exit = True

    runtime.on_failure = give_up
    try:
        server.run()
    except SystemExit:  # uvicorn's way to end where it cannot bind, once it logged why
        print(
            f"cannot serve: nothing can listen on {settings.host}:{settings.port}, perhaps "
            "since another process does; --port or EARSHOT_PORT takes another",
            file=sys.stderr,
        )
        return FAILED
    if runtime.failed is None or isinstance(runtime.failed, ModelMismatchError):
        return 0
    print(f"cannot serve: {runtime.failed}", file=sys.stderr)
    return LOCKED if isinstance(runtime.failed, CollectionLockedError) else FAILED
