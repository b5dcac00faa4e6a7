"""Idempotency keys: a request that is sent again is answered alike and done once."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from index.collection import Collection
from service.settings import Settings
from service.storing import idempotency
from tests.service.test_writing import item, vector

pytestmark = pytest.mark.anyio

ROUNDS = int(os.environ.get("EARSHOT_KEY_ROUNDS", "3"))
AT_ONCE = 32


@pytest.fixture
async def client(connect: Any, writable: Collection) -> httpx.AsyncClient:
    made: httpx.AsyncClient = await connect(writable)
    return made


def key(text: str) -> dict[str, str]:
    return {"idempotency-key": text}


def told(reply: httpx.Response) -> dict[str, Any]:
    body: dict[str, Any] = reply.json()
    return {"status": reply.status_code} | {
        name: value for name, value in body.items() if name != "request_id"
    }


async def test_sent_again_a_request_is_answered_alike_and_done_once(
    client: httpx.AsyncClient, writable: Collection
) -> None:
    new = {"vectors": {"audio": vector(5)}}
    requests: list[tuple[str, str, Any]] = [
        ("POST", "/items", {"items": [item("a"), item("../"), item("i00")]}),
        ("POST", "/items", {"items": [item("../"), {}]}),  # all refused
        ("PUT", "/items/b", new),
        ("DELETE", "/items/a", None),
        ("DELETE", "/items/absent", None),
        ("POST", "/items/delete", {"ids": ["i01", "gone"]}),
    ]
    first = [
        await client.request(method, path, json=body, headers=key(f"k{n}"))
        for n, (method, path, body) in enumerate(requests)
    ]
    written = await client.put("/items/a", json=new)  # so that doing it again would show
    seq = writable.view.seq
    for n, (method, path, body) in enumerate(requests):
        again = await client.request(method, path, json=body, headers=key(f"k{n}"))
        if again.status_code == 404:
            assert told(again)["code"] == told(first[n])["code"] == "not-found"
            continue
        assert told(again) == told(first[n]), path
        assert again.headers["idempotent-replayed"] == "true"
        assert "idempotent-replayed" not in first[n].headers
        assert int(again.headers["x-view-seq"]) == seq
    assert writable.view.seq == seq == told(written)["view_seq"]
    assert "a" in writable.view.items


async def test_a_key_with_another_request_is_a_conflict(
    client: httpx.AsyncClient, writable: Collection
) -> None:
    body = {"items": [item("a")]}
    await client.post("/items", json=body, headers=key("k"))
    before = writable.view.seq
    for method, path, other in (
        ("POST", "/items", {"items": [item("b")]}),
        ("POST", "/items", {"items": [item("../")]}),
        ("POST", "/items?replace=true", body),
        ("PUT", "/items/a", {"vectors": {"audio": vector(1)}}),
        ("DELETE", "/items/a", None),
        ("POST", "/items/delete", {"ids": ["a"]}),
    ):
        reply = await client.request(method, path, json=other, headers=key("k"))
        assert (reply.status_code, reply.json()["code"]) == (409, "idempotency-conflict")
    assert writable.view.seq == before


@pytest.mark.parametrize("bad", ["", " ", "a b", "x" * 201, "é"])
async def test_a_key_that_is_none_is_refused(client: httpx.AsyncClient, bad: str) -> None:
    headers = [(b"idempotency-key", bad.encode())]
    reply = await client.post("/items", json={"items": [item("a")]}, headers=headers)
    assert (reply.status_code, reply.json()["code"]) == (422, "invalid-field")
    twice = [(b"idempotency-key", b"a"), (b"idempotency-key", b"a")]
    assert (await client.delete("/items/i00", headers=twice)).status_code == 422


async def test_one_key_thirty_two_times_at_once_makes_one_item_and_one_reply(
    client: httpx.AsyncClient, writable: Collection
) -> None:
    for number in range(ROUNDS):
        before = writable.view.seq
        bodies = [{"items": [item(f"a{number}", n % 2)]} for n in range(AT_ONCE)]
        random.Random(number).shuffle(bodies)
        replies = await asyncio.gather(
            *(client.post("/items", json=b, headers=key(f"k{number}")) for b in bodies)
        )
        done = [reply for reply in replies if reply.status_code == 200]
        refused = [reply for reply in replies if reply.status_code != 200]
        assert len(done) == len(refused) == AT_ONCE // 2  # of two bodies one was first
        assert {str(told(reply)) for reply in done} == {str(told(done[0]))}
        assert {reply.json()["code"] for reply in refused} == {"idempotency-conflict"}
        assert writable.view.seq == before + 2  # a vector and an item


async def test_keys_of_one_owner_mean_nothing_to_another(
    connect: Any,
    writable: Collection,
    api_keys: str,
    secrets: Mapping[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = await connect(writable, api_keys=api_keys)

    async def store(role: str, item_id: str) -> httpx.Response:
        headers = key("k") | {"authorization": f"Bearer {secrets[role]}"}
        body = {"items": [item(item_id)]}
        reply: httpx.Response = await client.post("/items", json=body, headers=headers)
        return reply

    assert (await store("write", "a")).status_code == 200
    assert (await store("admin", "b")).status_code == 200
    assert (await store("write", "b")).status_code == 409
    assert {"a", "b"} <= set(writable.view.items)
    # were there one owner only, the other's key would be taken for his own
    monkeypatch.setattr(idempotency, "KEY", "nothing")
    assert (await store("write", "c")).status_code == 200
    assert (await store("admin", "d")).status_code == 409


async def test_keys_are_known_after_a_restart(connect: Any, copied: Path) -> None:
    body = {"items": [item("a")]}
    settings: Any = {"data": copied}
    assert Settings(**settings).read_only is False
    replies = []
    for _ in range(2):
        with Collection.open(copied, write=True, reserve_bytes=0) as opened:
            client = await connect(opened)
            replies.append(await client.post("/items", json=body, headers=key("k")))
    first, again = replies
    assert told(again) == told(first)
    assert again.headers["idempotent-replayed"] == "true"
