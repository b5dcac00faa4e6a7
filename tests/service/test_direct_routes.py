"""Direct routes: what they leave out of FastAPI's ways, and what they keep of them."""

from __future__ import annotations

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Request, Response

from service.routes.direct import DirectRoute

pytestmark = pytest.mark.anyio


def application() -> tuple[FastAPI, list[str]]:
    seen: list[str] = []
    router = APIRouter(route_class=DirectRoute)

    async def note(request: Request) -> None:
        seen.append(f"check {request.path_params['name']}")

    async def refuse(request: Request) -> None:
        raise ValueError("refused")

    @router.post("/given/{name}", dependencies=[Depends(note)])
    async def given(request: Request) -> Response:
        seen.append("route")
        return Response(await request.body())

    @router.post("/refused/{name}", dependencies=[Depends(note), Depends(refuse)])
    async def refused(request: Request) -> Response:
        seen.append("route")
        return Response(b"")

    app = FastAPI()
    app.router.routes.extend(router.routes)

    @app.exception_handler(ValueError)
    async def answer(request: Request, error: Exception) -> Response:
        return Response(str(error), status_code=403)

    return app, seen


async def test_dependencies_run_before_the_route_and_may_refuse() -> None:
    app, seen = application()
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        given = await client.post("/given/a", content=b"body")
        assert (given.status_code, given.content) == (200, b"body")
        assert seen == ["check a", "route"]
        refused = await client.post("/refused/b", content=b"body")
        assert (refused.status_code, refused.text) == (403, "refused")
        assert seen == ["check a", "route", "check b"]
        assert (await client.get("/given/a")).status_code == 405


async def test_openapi_shows_them() -> None:
    app, _ = application()
    assert set(app.openapi()["paths"]) == {"/given/{name}", "/refused/{name}"}
