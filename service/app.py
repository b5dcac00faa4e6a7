"""The application: settings and a collection in, an ASGI application out."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from crossmodal.media.decoder import Decoder
from index.collection import Collection
from service.access.cors import Cors
from service.http.envelope import Envelope
from service.http.handlers import add_handlers
from service.openapi import documentation, item_documentation, schemas
from service.routes import (
    batch,
    embed,
    evaluate,
    health,
    items,
    jobs,
    media,
    metrics,
    reference,
    search,
    writes,
)
from service.routes import (
    collection as collection_route,
)
from service.routes.jobs import JobRequest
from service.routes.page import add_page
from service.runtime import Runtime
from service.searching.judging import EvaluationRequest
from service.settings import Settings, read_settings
from service.version import VERSION

DESCRIPTION = """Finds pictures by sound and sound by pictures.

Every error is `application/problem+json` with a stable `code`. Beside what is declared with
each operation, any request may be answered with 400 `malformed-request` if it is no valid
HTTP, 408 `request-timeout` if it comes too slowly, 429 `busy` if there are too many
connections, 404 `not-found` for a path and 405 `method-not-allowed` for a method that is
not there."""
# the routes searched most come first: routing tries them in order
ROUTERS = (
    batch.router,  # before the direction that its path could be
    search.router,
    media.router,
    embed.router,
    evaluate.router,
    items.router,
    writes.router,
    jobs.router,
    collection_route.router,
    health.router,
    metrics.router,
    reference.router,
)


def create_app(
    settings: Settings | None = None,
    collection: Collection | None = None,
    decoder: Decoder | None = None,
) -> FastAPI:
    """Return the application.

    Args:
        settings: What it depends on; read from the environment if not given.
        collection: An opened collection, which the caller closes; if not given, the one
            in ``settings.data`` is opened at start and closed at the end.
        decoder: What decodes uploads, which the caller closes; made if not given.

    Raises:
        ConfigError: If a setting of the environment is wrong.
    """
    # its warnings repeat bytes of the upload
    logging.getLogger("python_multipart").setLevel(logging.ERROR)
    runtime = Runtime(settings or read_settings(), collection, decoder)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await runtime.start()
        try:
            yield
        finally:
            await runtime.stop()

    app = FastAPI(
        title="Earshot",
        version=VERSION,
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # ours is our own
    )
    app.state.runtime = runtime
    if runtime.settings.origins:
        app.add_middleware(Cors, origins=runtime.settings.origins)
    app.add_middleware(Envelope, telemetry=runtime.telemetry)
    add_handlers(app)
    for router in ROUTERS:
        app.router.routes.extend(router.routes)  # flat, for whoever lists app.routes
    add_page(app)
    _describe(app)
    return app


def _describe(app: FastAPI) -> None:
    """Let OpenAPI tell of bodies that the routes read themselves."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = get_openapi(
                title=app.title,
                version=app.version,
                description=app.description,
                routes=app.routes,
            )
            app.openapi_schema = documentation.complete(
                schema,
                (
                    EvaluationRequest,
                    JobRequest,
                    schemas.FieldError,
                    *item_documentation.MODELS,
                ),
            )
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
