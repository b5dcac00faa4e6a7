"""Declared errors: every operation provoked in every way answers only what it declares."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import httpx
import pytest

from crossmodal.errors import ModelMismatchError
from index.collection import Collection
from service.app import create_app
from service.http.bodies import JSON, MULTIPART
from service.runtime import Runtime
from service.settings import Settings

pytestmark = pytest.mark.anyio

VECTOR = [1.0, 0, 0, 0, 0, 0, 0, 0]
BODIES: Mapping[str, Any] = {
    "/search/{direction}": {"vector": VECTOR},
    "/search/batch": {"searches": [{"direction": "audio2visual", "vector": VECTOR}]},
    "/embed/{modality}": {"features": [1.0]},
    "/evaluate": {"stored": True},
    "/items": {"items": [{"id": "new", "vectors": {"audio": VECTOR}}]},
    "/items/{item_id}": {"vectors": {"audio": VECTOR}},
    "/items/delete": {"ids": ["absent"]},
    "/jobs": {"kind": "compact"},
}
FILLS = (
    {"direction": "audio2visual", "modality": "audio", "item_id": "i00", "job_id": "x"},
    {"direction": "audio2smell", "modality": "smell", "item_id": "absent", "job_id": "y"},
    {"direction": "%00", "modality": "%ff", "item_id": "%2e%2e", "job_id": "%ff"},
)
QUERIES = (
    "",
    "?k=x",
    "?cursor=../",
    "?limit=0",
    "?id=absent",
    "?id=i00",
    "?x=" + "y" * 5000,
)
Provoked = list[tuple[str, int]]


@pytest.fixture
def collection(writable: Collection) -> Collection:
    """A collection of its own, since some of the calls change it."""
    return writable


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    schema: dict[str, Any] = create_app(Settings()).openapi()
    return schema


async def endless() -> AsyncIterator[bytes]:
    for _ in range(300):
        yield b" " * 65536


def requests(path: str, method: str) -> list[dict[str, Any]]:
    """What to send to one operation: well formed, and wrong in each way there is."""
    plain = {"content-type": JSON}
    form = {"content-type": f"{MULTIPART}; boundary=x"}
    if method in ("GET", "DELETE"):
        return [
            {},
            {"headers": {"range": "bytes=99999999-"}},
            {"headers": {"range": "bytes=0-1"}},
            {"headers": {"if-none-match": "*", "accept": "nothing/atall"}},
            {"content": b"{", "headers": plain},
        ]
    return [
        {"json": BODIES[path]},
        {"json": BODIES[path], "headers": {"idempotency-key": "once"}},
        {"json": {}, "headers": {"idempotency-key": "once"}},
        {"json": BODIES[path], "headers": {"idempotency-key": "\x7f" * 300}},
        {},
        {"json": {}},
        {"json": {"vector": ["x"], "features": {}, "queries": [1], "searches": 5}},
        {"content": b"{", "headers": plain},
        {"content": b"[]", "headers": {"content-type": "text/plain"}},
        {"content": b"{}", "headers": {**plain, "content-encoding": "gzip"}},
        {"content": b"{}", "headers": {**plain, "content-length": "999999999"}},
        {"content": endless(), "headers": plain},
        {"content": endless(), "headers": form},
        {"content": b"--x--", "headers": form},
        {"files": {"file": ("a", b"RIFF....WAVEfmt ")}},
        {"files": {"file": ("a", b"no media at all")}},
        {"files": {"features": ("a", b"\x93NUMPY")}},
    ]


async def provoke(
    client: httpx.AsyncClient, document: dict[str, Any]
) -> dict[tuple[str, str], set[int]]:
    """Send everything to every operation; return the statuses that came back."""
    seen: dict[tuple[str, str], set[int]] = {}
    for path, methods in document["paths"].items():
        for name in methods:
            method = name.upper()
            statuses = seen.setdefault((path, name), set())
            sent = requests(path, method)
            plain = [(path.format(**fill), one) for fill in FILLS for one in sent]
            asked = [(path.format(**FILLS[0]) + query, sent[0]) for query in QUERIES]
            for target, request in plain + asked:
                reply = await client.request(method, target, **request)
                statuses.add(reply.status_code)
    return seen


def undeclared(
    seen: Mapping[tuple[str, str], set[int]], document: dict[str, Any]
) -> Provoked:
    return [
        (f"{method} {path}", status)
        for (path, method), statuses in seen.items()
        for status in statuses
        if str(status) not in document["paths"][path][method]["responses"]
    ]


Prepare = Callable[[Any, pytest.MonkeyPatch], Awaitable[httpx.AsyncClient]]


async def sound(connect: Any, _: pytest.MonkeyPatch) -> httpx.AsyncClient:
    client: httpx.AsyncClient = await connect()
    return client


async def closed(connect: Any, _: pytest.MonkeyPatch) -> httpx.AsyncClient:
    client: httpx.AsyncClient = await connect(api_keys="read:" + "0" * 64)
    return client


async def limited(connect: Any, _: pytest.MonkeyPatch) -> httpx.AsyncClient:
    client: httpx.AsyncClient = await connect(rate=1e-3, rate_burst=1)
    return client


async def elsewhere(connect: Any, _: pytest.MonkeyPatch) -> httpx.AsyncClient:
    client: httpx.AsyncClient = await connect(headers={"origin": "http://evil.example"})
    return client


async def empty(connect: Any, _: pytest.MonkeyPatch) -> httpx.AsyncClient:
    client: httpx.AsyncClient = await connect(None)
    return client


async def mismatched(connect: Any, patch: pytest.MonkeyPatch) -> httpx.AsyncClient:
    def other(_: Any) -> Any:
        raise ModelMismatchError("another model")

    patch.setattr(Runtime, "_open_collection", other)
    client: httpx.AsyncClient = await connect(None)
    return client


async def crowded(connect: Any, patch: pytest.MonkeyPatch) -> httpx.AsyncClient:
    client: httpx.AsyncClient = await connect()
    patch.setattr("service.http.handlers.BUSY_S", 0)
    for lane in client._transport.app.state.runtime.lanes:  # type: ignore[attr-defined]
        lane.taken = lane.places
    return client


async def failing(connect: Any, patch: pytest.MonkeyPatch) -> httpx.AsyncClient:
    client: httpx.AsyncClient = await connect()
    patch.setattr("service.watching.readiness.WINDOW_S", 3600.0)
    readiness = client._transport.app.state.runtime.readiness  # type: ignore[attr-defined]
    for _ in range(5):
        readiness.encoder_failed()
    return client


async def crashing(connect: Any, patch: pytest.MonkeyPatch) -> httpx.AsyncClient:
    client: httpx.AsyncClient = await connect()

    def crash(_: Any) -> Any:
        raise ZeroDivisionError

    patch.setattr(Runtime, "collection", property(crash))
    return client


STATES: Mapping[Prepare, set[int]] = {
    sound: {200, 400, 404, 413, 415, 416, 422},
    closed: {401},
    limited: {429},
    elsewhere: {403},
    empty: {503},
    mismatched: {409},
    crowded: {429},
    failing: {503},
    crashing: {500},
}


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
async def test_only_declared_statuses_are_answered(
    connect: Any,
    document: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    writable: Any,
    state: Prepare,
) -> None:
    async def make(held: Any = writable, **named: Any) -> httpx.AsyncClient:
        client: httpx.AsyncClient = await connect(held, **named)
        return client

    client = await state(make, monkeypatch)
    seen = await provoke(client, document)
    assert undeclared(seen, document) == []
    assert set().union(*seen.values()) >= STATES[state]
    # the same with one status less declared is found out
    (path, method), status = next(
        (operation, status)
        for operation, statuses in seen.items()
        for status in statuses & STATES[state]
    )
    less = {k: {m: dict(o) for m, o in v.items()} for k, v in document["paths"].items()}
    responses = {**less[path][method]["responses"]}
    del responses[str(status)]
    less[path][method]["responses"] = responses
    assert undeclared(seen, {"paths": less}) == [(f"{method} {path}", status)]
