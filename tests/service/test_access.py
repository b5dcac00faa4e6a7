"""Access: every route and method under every key, held to the table in access.txt."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from fastapi import Depends, FastAPI, Request
from starlette.routing import Mount

from index.collection import Collection
from service.access.keys import Key, Role
from service.app import create_app
from service.dependencies import require
from service.settings import Settings

pytestmark = pytest.mark.anyio

COLUMNS = ("none", "wrong", "read", "write", "admin")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
CLAIMS = (  # what a client may say of itself, and no one believes
    {"host": "evil.example"},
    {"host": "localhost:8000/livez?"},
    {"host": "127.0.0.1@evil"},
    {"host": "livez"},
    {"x-forwarded-for": "127.0.0.1", "x-real-ip": "127.0.0.1", "forwarded": "for=[::1]"},
    {"x-forwarded-host": "localhost", "x-forwarded-proto": "https"},
    {"x-forwarded-prefix": "/livez", "x-original-url": "/livez", "x-rewrite-url": "/livez"},
    {"x-http-method-override": "GET", "x-forwarded-user": "admin", "x-role": "admin"},
)


class Row(NamedTuple):
    method: str
    path: str
    outcome: Mapping[str, str]

    @property
    def url(self) -> str:
        filled = self.path.format(
            direction="audio2visual", modality="audio", item_id="i00", job_id="none"
        )
        return f"{filled}/index.html" if filled == "/web" else filled


def read_table() -> list[Row]:
    lines = (Path(__file__).parent / "access.txt").read_text().splitlines()
    cells = [line.split() for line in lines if line and not line.startswith("#")]
    return [Row(row[0], row[1], dict(zip(COLUMNS, row[2:], strict=True))) for row in cells]


TABLE = read_table()


def declared(app: FastAPI) -> list[tuple[str, str]]:
    return [
        (method, route.path)  # type: ignore[attr-defined]
        for route in app.routes
        for method in (
            ("GET", "HEAD") if isinstance(route, Mount) else route.methods  # type: ignore[attr-defined]
        )
    ]


def test_every_route_has_one_row_and_every_row_a_route() -> None:
    assert sorted(declared(create_app(Settings()))) == sorted(row[:2] for row in TABLE)


def proofs(secrets: Mapping[str, str]) -> dict[str, list[tuple[bytes, bytes]]]:
    given = {"none": [], "wrong": [b"nonsense"]} | {
        role: [secret.encode()] for role, secret in secrets.items()
    }
    return {
        column: [(b"authorization", b"Bearer " + value) for value in values]
        for column, values in given.items()
    }


@pytest.fixture
def collection(writable: Collection) -> Collection:
    """A collection of its own, since some of the calls change it."""
    return writable


def at(url: str) -> set[str]:
    """The methods of all operations that a path may mean."""
    return {
        row.method
        for row in TABLE
        if re.fullmatch(re.sub(r"{\w+}", "[^/]+", row.path), url) or row.url == url
    }


async def check(client: httpx.AsyncClient, column: str, proof: list[Any]) -> None:
    table = {(row.method, row.path): row.outcome for row in TABLE}
    for path, url in {row.path: row.url for row in TABLE}.items():
        there = at(url)
        for method in METHODS:
            reply = await client.request(method, url, headers=proof)
            cell = (method, path, reply.status_code)
            if method not in there:
                assert reply.status_code == 405, cell
                assert set(reply.headers["allow"].split(", ")) == there, cell
            elif (method, path) not in table:
                continue  # another operation of the same place, with a row of its own
            elif table[method, path][column] == "in":
                # the names of jobs are random: there is none to ask for
                missing = () if path == "/jobs/{job_id}" else (404,)
                assert reply.status_code not in (401, 403, 405, *missing), cell
            else:
                assert reply.status_code == int(table[method, path][column]), cell
                assert reply.headers["content-type"] == "application/problem+json"
                if reply.status_code == 401:
                    assert reply.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("column", COLUMNS)
async def test_the_table_holds(
    connect: Any, column: str, api_keys: str, secrets: Mapping[str, str]
) -> None:
    client = await connect(api_keys=api_keys, failed_rate=0)
    await check(client, column, proofs(secrets)[column])


async def test_a_door_that_lets_all_in_is_found_out(
    connect: Any,
    api_keys: str,
    secrets: Mapping[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = await connect(api_keys=api_keys, failed_rate=0)
    monkeypatch.setattr("service.dependencies.key_of", lambda *_: Key(Role.ADMIN, b""))
    for column in ("none", "wrong"):
        with pytest.raises(AssertionError, match="search"):
            await check(client, column, proofs(secrets)[column])


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: next(iter(claim)))
async def test_no_header_but_the_key_lets_anyone_in(
    connect: Any, claim: Mapping[str, str], api_keys: str, secrets: Mapping[str, str]
) -> None:
    client = await connect(api_keys=api_keys, failed_rate=0)
    for row in TABLE:
        for column in ("none", "read"):
            headers = [*proofs(secrets)[column]]
            headers += [(k.encode(), v.encode()) for k, v in claim.items()]
            reply = await client.request(row.method, row.url, headers=headers)
            refused = (401, 403)
            let_in = row.outcome[column] == "in"
            assert (reply.status_code not in refused) is let_in, row


async def test_spelling_a_path_otherwise_opens_nothing(connect: Any, api_keys: str) -> None:
    client = await connect(api_keys=api_keys, failed_rate=0)
    for row in TABLE:
        if row.outcome["none"] == "in":
            continue
        head, tail = row.url[:2], row.url[2:]
        for path in (
            f"{row.url}/",
            f"http://test/{row.url}",
            f"{row.url}%2f",
            f"/livez/..{row.url}",
            f"/livez%2f..{row.url}",
            f"/web/..{row.url}",
            f"/%{ord(head[1]):x}{tail}",
            row.url.upper(),
            f"{row.url};/livez",
            f"{row.url}%00",
            f"{row.url}?path=/livez",
        ):
            reply = await client.request(row.method, path)
            assert reply.status_code in (401, 404, 405), (row.method, path)


def talk(port: int, request: bytes) -> bytes:
    """Send raw bytes and return all that comes back."""
    with socket.create_connection(("127.0.0.1", port), timeout=120) as connection:
        connection.sendall(request)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    return answer


def test_keys_that_are_none_get_401_over_a_socket(
    listen: Any, api_keys: str, secrets: Mapping[str, str]
) -> None:
    port = listen(api_keys=api_keys)
    right = b"Bearer " + secrets["admin"].encode()

    def status(*values: bytes, path: bytes = b"/version") -> bytes:
        lines = [b"GET " + path + b" HTTP/1.1", b"Host: x", b"Connection: close"]
        lines += [b"Authorization: " + value for value in values]
        return talk(port, b"\r\n".join(lines) + b"\r\n\r\n").split(b" ", 2)[1]

    assert status(right) == b"200"
    for values in (
        (),
        (b"",),
        (b"Bearer",),
        (b"Bearer ",),
        (b"Bearer \xe9\xff\x80",),
        ("Bearer é\u20ac".encode(),),
        (b"Bearer " + b"x" * 2**20,),
        (right, right),
        (right, b"Bearer wrong"),
        (b"Basic " + secrets["admin"].encode(),),
        (secrets["admin"].encode(),),
        (right + b" ",) * 2,
        (right + b", " + right,),
    ):
        assert status(*values) == b"401", values
    # a target that names another host, or a whole address, is the same path
    for path in (b"http://localhost/version", b"http://evil.example/version"):
        assert status(path=path) in (b"401", b"404"), path
        assert status(right, path=path) in (b"200", b"404"), path
    assert status(path=b"/livez#/version") in (b"200", b"404")
    assert status(path=b"/livez/../version") in (b"401", b"404")


async def test_a_lower_role_is_forbidden(api_keys: str, secrets: Mapping[str, str]) -> None:
    app = create_app(Settings(api_keys=api_keys))

    async def write(request: Request) -> dict[str, bool]:
        return {"written": True}

    app.add_api_route("/write", write, dependencies=[Depends(require(Role.WRITE))])
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        for role, status in (("read", 403), ("write", 200), ("admin", 200)):
            reply = await client.get(
                "/write", headers={"authorization": f"Bearer {secrets[role]}"}
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
            "headers": [(b"host", b"localhost")],
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
