"""CORS: nothing by default, listed origins exactly, and never credentials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.anyio

SEARCH = "/search/audio2visual"
LISTED = "https://app.example"
OTHERS = (
    "https://evil.example",
    "https://app.example.evil",
    "http://app.example",
    "null",
    "*",
)
ASKED = {
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,content-type",
}


def marks(reply: httpx.Response) -> dict[str, str]:
    return {k: v for k, v in reply.headers.items() if k.startswith("access-control-")}


@pytest.mark.parametrize("origin", [LISTED, *OTHERS])
async def test_none_by_default(client: httpx.AsyncClient, origin: str) -> None:
    preflight = await client.options(SEARCH, headers={"origin": origin, **ASKED})
    assert (preflight.status_code, marks(preflight)) == (405, {})
    assert marks(await client.get("/version", headers={"origin": origin})) == {}


@pytest.fixture
async def shared(connect: Any, api_keys: str, secrets: Mapping[str, str]) -> Any:
    headers = {"authorization": f"Bearer {secrets['read']}"}
    return await connect(
        api_keys=api_keys, headers=headers, cors_origins=f"http://other.example,{LISTED}"
    )


async def test_a_listed_origin_is_named_exactly(shared: httpx.AsyncClient) -> None:
    preflight = await shared.options(SEARCH, headers={"origin": LISTED, **ASKED})
    assert preflight.status_code == 204
    allowed = preflight.headers
    assert allowed["access-control-allow-origin"] == LISTED
    assert "POST" in allowed["access-control-allow-methods"].split(", ")
    assert {"Authorization", "Content-Type"} <= {
        *allowed["access-control-allow-headers"].split(", ")
    }
    assert allowed["x-content-type-options"] == "nosniff"
    for path in ("/version", "/nothing"):  # an error may be read, too
        reply = await shared.get(path, headers={"origin": LISTED})
        assert reply.headers["access-control-allow-origin"] == LISTED
        assert "X-View-Seq" in reply.headers["access-control-expose-headers"]
        assert reply.headers["vary"] == "Origin"


@pytest.mark.parametrize("origin", OTHERS)
async def test_no_other_origin_is_named(shared: httpx.AsyncClient, origin: str) -> None:
    preflight = await shared.options(SEARCH, headers={"origin": origin, **ASKED})
    assert (preflight.status_code, marks(preflight)) == (405, {})
    reply = await shared.get("/version", headers={"origin": origin})
    assert (reply.status_code, marks(reply)) == (200, {})
    assert reply.headers["vary"] == "Origin"


async def test_credentials_and_stars_never_occur(shared: httpx.AsyncClient) -> None:
    for origin in (LISTED, *OTHERS):
        for method in ("OPTIONS", "GET", "POST"):
            reply = await shared.request(
                method, SEARCH, headers={"origin": origin, **ASKED}
            )
            assert "access-control-allow-credentials" not in reply.headers
            assert "*" not in marks(reply).values()


async def test_two_origins_are_none(shared: httpx.AsyncClient) -> None:
    reply = await shared.get("/version", headers=[("origin", LISTED)] * 2)
    assert marks(reply) == {}
