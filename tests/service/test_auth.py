"""Keys: who may call what, over every route and method there is."""

from __future__ import annotations

import hashlib
from typing import Any

import httpx
import pytest
from fastapi import Depends, FastAPI, Request
from starlette.routing import Mount, Route

from crossmodal.errors import ConfigError
from service.app import create_app
from service.dependencies import require
from service.keys import Role, new_key, parse_keys, role_of
from service.settings import Settings

pytestmark = pytest.mark.anyio

SECRETS = {"read": "reading-secret", "write": "writing-secret", "admin": "admin-secret"}
KEYS = ",".join(
    f"{role}:{hashlib.sha256(secret.encode()).hexdigest()}"
    for role, secret in SECRETS.items()
)
OPEN, READ = "open", "read"
# every route and method, and the least role that it needs
MATRIX = {
    ("POST", "/search/{direction}"): READ,
    ("POST", "/embed/{modality}"): READ,
    ("POST", "/evaluate"): READ,
    ("GET", "/items"): READ,
    ("GET", "/items/{item_id}"): READ,
    ("GET", "/media/{item_id}"): READ,
    ("HEAD", "/media/{item_id}"): READ,
    ("GET", "/collection"): READ,
    ("GET", "/livez"): OPEN,
    ("GET", "/readyz"): OPEN,
    ("GET", "/healthz"): READ,
    ("GET", "/version"): READ,
    ("GET", "/metrics"): READ,
    ("GET", "/openapi.json"): READ,
    ("GET", "/docs"): READ,
    ("GET", "/"): OPEN,
    ("HEAD", "/"): OPEN,
    ("MOUNT", "/web"): OPEN,
}


def declared(app: FastAPI) -> set[tuple[str, str]]:
    found = set()
    for route in app.routes:
        if isinstance(route, Mount):
            found.add(("MOUNT", route.path))
        else:
            assert isinstance(route, Route) or hasattr(route, "methods")
            found |= {(method, route.path) for method in route.methods}
    return found


def test_every_route_has_a_cell(collection: Any, decoder: Any) -> None:
    app = create_app(Settings(), collection, decoder)
    cells = set(MATRIX)
    if ("GET", "/") not in declared(app):  # a checkout without the page
        cells -= {("GET", "/"), ("HEAD", "/"), ("MOUNT", "/web")}
    assert declared(app) == cells


def fill(path: str) -> str:
    return path.format(direction="audio2visual", modality="audio", item_id="i00")


@pytest.mark.parametrize(
    "given",
    ["none", "wrong", "empty", "basic", "no scheme", "doubled", "huge", "bytes", *SECRETS],
)
async def test_the_matrix_holds(connect: Any, given: str) -> None:
    client = await connect(api_keys=KEYS)
    values: dict[str, list[bytes]] = {
        "none": [],
        "wrong": [b"Bearer nonsense"],
        "empty": [b"Bearer "],
        "basic": [b"Basic " + SECRETS["admin"].encode()],
        "no scheme": [SECRETS["admin"].encode()],
        "doubled": [b"Bearer " + SECRETS["admin"].encode()] * 2,
        "huge": [b"Bearer " + b"x" * 1_000_000],
        "bytes": ["Bearer é\u20ac".encode()],
    }
    headers = [
        (b"authorization", value)
        for value in values.get(given, [f"Bearer {SECRETS.get(given)}".encode()])
    ]
    for (method, path), need in MATRIX.items():
        if method == "MOUNT":
            continue
        for extra in ({}, {"host": "evil.example", "x-forwarded-for": "127.0.0.1"}):
            reply = await client.request(
                method,
                fill(path),
                headers=[*headers, *((k.encode(), v.encode()) for k, v in extra.items())],
            )
            if need == OPEN or given in SECRETS:
                assert reply.status_code not in (401, 403), (method, path)
            else:
                assert reply.status_code == 401, (method, path)
                assert reply.headers["www-authenticate"] == "Bearer"
                if method != "HEAD":
                    assert reply.json()["code"] == "unauthenticated"


async def test_spelling_a_path_otherwise_opens_nothing(connect: Any) -> None:
    client = await connect(api_keys=KEYS)
    for path in (
        "/items/",
        "http://test//items",
        "/items%2f",
        "/livez/../items",
        "/%69tems",
    ):
        reply = await client.get(path)
        assert reply.status_code in (401, 404), path


async def test_a_lower_role_is_forbidden() -> None:
    app = create_app(Settings(api_keys=KEYS))

    async def write(request: Request) -> dict[str, bool]:
        return {"written": True}

    app.add_api_route("/write", write, dependencies=[Depends(require(Role.WRITE))])
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        for role, status in (("read", 403), ("write", 200), ("admin", 200)):
            reply = await client.get(
                "/write", headers={"authorization": f"Bearer {SECRETS[role]}"}
            )
            assert reply.status_code == status, role


async def test_without_keys_only_loopback_addresses_are_served() -> None:
    app = create_app(Settings())

    async def status(server: tuple[str, int] | None) -> int:
        seen = []
        scope = {
            "type": "http",
            "method": "GET",
            "path": "/version",
            "raw_path": b"/version",
            "query_string": b"",
            "headers": [],
            "server": server,
            "client": ("10.0.0.9", 5),
            "scheme": "http",
            "root_path": "",
            "http_version": "1.1",
        }

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                seen.append(message["status"])

        await app(scope, receive, send)
        return int(seen[0])

    assert await status(("127.0.0.1", 80)) == 200
    assert await status(("::1", 80)) == 200
    assert await status(None) == 200
    assert await status(("192.168.1.4", 80)) == 403
    assert await status(("0.0.0.0", 80)) == 403


def test_a_new_key_proves_its_role() -> None:
    secret, line = new_key(Role.WRITE)
    assert len(secret) >= 43  # 32 bytes and more, in base64
    assert secret not in line
    assert role_of([f"Bearer {secret}".encode()], parse_keys(line)) is Role.WRITE
    assert role_of([f"bearer {secret}".encode()], parse_keys(line)) is Role.WRITE
    assert role_of([f"Bearer {secret} ".encode()], parse_keys(line)) is None


@pytest.mark.parametrize(
    "text", ["secret", "read:abc", "root:" + "0" * 64, "read:" + "G" * 64]
)
def test_keys_that_are_none_are_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(ConfigError, match="entry 1 is not ROLE:SHA256HEX") as caught:
        parse_keys(text)
    assert text not in str(caught.value)
