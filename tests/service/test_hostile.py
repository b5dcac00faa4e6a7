"""Hostile requests: each gets its documented 4xx, and nothing ever a 500."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import numpy as np
import pytest

from crossmodal.modality import Modality
from service.openapi import schemas
from service.problems import STATUS

pytestmark = pytest.mark.anyio

SEARCH = "/search/audio2visual"
VECTOR = [1.0, 0, 0, 0, 0, 0, 0, 0]
JSON = {"content-type": "application/json"}


def check(reply: httpx.Response, *codes: str) -> schemas.ProblemReply:
    problem = schemas.ProblemReply.model_validate(reply.json())
    assert reply.headers["content-type"] == "application/problem+json"
    assert len(reply.content) <= 8 * 1024
    assert problem.code in codes, reply.text
    assert reply.status_code == problem.status == STATUS[problem.code].status
    assert reply.headers["x-request-id"] == problem.request_id
    return problem


@pytest.fixture(autouse=True)
async def still_serving(client: httpx.AsyncClient) -> AsyncIterator[None]:
    yield
    reply = await client.post(SEARCH, json={"vector": VECTOR})
    assert reply.status_code == 200


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b'{"vector": [NaN]}',
        b'{"vector": [Infinity]}',
        b'{"vector": [1e999]}',
        b"\xff\xfe{",
        b'\xef\xbb\xbf{"id": "i00"}',
        '{"id": "i00"}'.encode("utf-16"),
        b'{"id": "\\ud800"}',
        b'{"id": "\xff"}',
        b"[" * 100_000,
        b'{"vector": ' + b"[" * 40 + b"]" * 40 + b"}",
        b'{"id": "i00"} trailing',
        b'{"id": "i00",}',
        b"1" * 10_000,
    ],
)
async def test_malformed_json(client: httpx.AsyncClient, text: bytes) -> None:
    check(await client.post(SEARCH, content=text, headers=JSON), "malformed-request")


@pytest.mark.parametrize("value", [[], "text", 1, None, True, ["id"]])
async def test_json_that_is_no_object(client: httpx.AsyncClient, value: Any) -> None:
    text = json.dumps(value).encode()
    check(await client.post(SEARCH, content=text, headers=JSON), "invalid-field")


@pytest.mark.parametrize(
    "vector",
    [
        None,
        True,
        "AAAA",
        {},
        [],
        [1],
        [1.0] * 9,
        [0] * 8,
        [1e39] * 8,
        [1e-45] * 8,
        ["1"] * 8,
        [True] * 8,
        [None] * 8,
        [[1.0] * 8],
        [2**70] + [0] * 7,
        [1.0] * 100_000,
    ],
)
async def test_bad_vectors(client: httpx.AsyncClient, vector: Any) -> None:
    check(await client.post(SEARCH, json={"vector": vector}), "bad-vector")


@pytest.mark.parametrize(
    "features", [None, [], [[]], [1, 2], "x", [[1], [2, 3]], [True] * 3, [1e39] * 5000]
)
async def test_bad_features(client: httpx.AsyncClient, features: Any) -> None:
    check(await client.post(SEARCH, json={"features": features}), "bad-vector")


async def test_features_too_large_for_float32_are_refused(
    client: httpx.AsyncClient, collection: Any
) -> None:
    width = collection.bundle.spec(Modality.AUDIO).input_dim
    check(await client.post(SEARCH, json={"features": [1e39] * width}), "bad-vector")


@pytest.mark.parametrize(
    "fields",
    [
        {"k": 0},
        {"k": -1},
        {"k": 1001},
        {"k": 2**31},
        {"k": 1.5},
        {"k": 10.0},
        {"k": "10"},
        {"k": "ten"},
        {"k": True},
        {"k": None},
        {"offset": -1},
        {"offset": 10**9},
        {"exclude": "i00"},
        {"exclude": ["../x"]},
        {"exclude": ["i00"] * 1001},
        {"exclude": list(range(300_000))},
        {"exact": "true"},
        {"exact": 1},
        {"with_vector": None},
        {"score_threshold": 2},
        {"min_confidence": 1.5},
        {"min_confidence": "0.5"},
        {"score_threshold": "0.5"},
        {"group_by": "label"},
        {"filter": []},
        {"filter": {"must": [{"field": "label"}]}},
        {"filter": {"must": [{"field": "label", "eq": "a", "in": ["a"]}]}},
        {"filter": {"must": [{"field": "label", "eq": {"$gt": ""}}]}},
        {"filter": {"must": [{"field": "label", "like": "a"}]}},
        {"filter": {"any": []}},
        {"start": 0},
        {"end": 1},
        {"unknown": 1},
        {"a" * 100_000: 1},
        {"\u202e\x00": 1},
        {"file": "x"},
        {"id": "i00"},
        {"features": [1.0]},
    ],
)
async def test_bad_parameters(client: httpx.AsyncClient, fields: dict[str, Any]) -> None:
    problem = check(
        await client.post(SEARCH, json={"vector": VECTOR, **fields}), "invalid-field"
    )
    assert "\u202e" not in problem.model_dump_json()


@pytest.mark.parametrize(
    "item", ["", "..", "a b", "x" * 65, "i00\x00", "é", "i00\n", 5, None, []]
)
async def test_ids_that_can_name_nothing(client: httpx.AsyncClient, item: Any) -> None:
    check(await client.post(SEARCH, json={"id": item}), "invalid-field")


async def test_ids_that_name_nothing_here(client: httpx.AsyncClient) -> None:
    check(await client.post(SEARCH, json={"id": "absent"}), "not-found")
    # i11 has sound only
    check(await client.post("/search/visual2audio", json={"id": "i11"}), "not-found")


async def test_no_query_at_all(client: httpx.AsyncClient) -> None:
    check(await client.post(SEARCH, json={"k": 3}), "invalid-field")


@pytest.mark.parametrize(
    "direction",
    [
        *(
            "audio",
            "Audio2visual",
            "audio2",
            "2",
            "audio2smell",
            "text2audio",
            "audio2text",
        ),
        *("visual2text", "audio2visual2audio", "%00", "audio2visual%0d%0aX: y", "%ff"),
    ],
)
async def test_unknown_directions(client: httpx.AsyncClient, direction: str) -> None:
    reply = await client.post(f"/search/{direction}", json={"vector": VECTOR})
    check(reply, "unknown-modality")


async def test_unknown_modality(client: httpx.AsyncClient) -> None:
    check(await client.post("/embed/smell", json={"features": [1]}), "unknown-modality")
    check(await client.post("/embed/text", json={"features": [1]}), "unknown-modality")


@pytest.mark.parametrize(
    "query", ["k=0", "k=1.5", "k=ten", "k=5&k=6", "x=1", "filter={", "k="]
)
async def test_bad_query_strings(client: httpx.AsyncClient, query: str) -> None:
    reply = await client.post(f"{SEARCH}?{query}", json={"vector": VECTOR})
    check(reply, "invalid-field")


async def test_a_parameter_given_in_both_places(client: httpx.AsyncClient) -> None:
    reply = await client.post(f"{SEARCH}?k=3", json={"vector": VECTOR, "k": 3})
    check(reply, "invalid-field")
    reply = await client.post(f"{SEARCH}?id=i00", json={"id": "i00"})
    check(reply, "invalid-field")


async def test_twenty_errors_at_most_and_no_value_repeated(
    client: httpx.AsyncClient,
) -> None:
    wanted = {"must": [{"field": "f", "eq": ["SECRET"]}] * 30}
    reply = await client.post(SEARCH, json={"vector": VECTOR, "filter": wanted})
    problem = check(reply, "invalid-field")
    assert 1 <= len(problem.errors) <= 20
    assert "SECRET" not in reply.text


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"content-type": "text/plain"}, "unsupported-media"),
        ({"content-type": ""}, "unsupported-media"),
        ({"content-type": "application/x-www-form-urlencoded"}, "unsupported-media"),
        ({**JSON, "content-encoding": "gzip"}, "unsupported-media"),
        ({**JSON, "content-encoding": "br"}, "unsupported-media"),
        ({**JSON, "content-length": "5000000"}, "too-large"),
        ({**JSON, "content-length": "-5"}, "malformed-request"),
        ({**JSON, "content-length": "1" * 30}, "malformed-request"),
        ({**JSON, "content-length": "ten"}, "malformed-request"),
    ],
)
async def test_headers_are_judged_before_the_body(
    client: httpx.AsyncClient, headers: dict[str, str], code: str
) -> None:
    async def never() -> AsyncIterator[bytes]:
        raise AssertionError("the body was read")
        yield b""

    check(await client.post(SEARCH, content=never(), headers=headers), code)


async def test_no_length_and_no_chunks(client: httpx.AsyncClient) -> None:
    request = client.build_request("POST", SEARCH, headers=JSON)
    del request.headers["content-length"]
    check(await client.send(request), "length-required")


@pytest.mark.parametrize("path", [SEARCH, "/evaluate"])
async def test_chunks_are_counted_as_they_come(
    client: httpx.AsyncClient, path: str
) -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 65536
            yield b" " * 65536

    reply = await client.post(path, content=endless(), headers=JSON)
    check(reply, "too-large")
    assert read <= 17 * 1024 * 1024


async def test_duplicate_keys_count_last(client: httpx.AsyncClient) -> None:
    text = b'{"id": "absent", "id": "i00"}'
    assert (await client.post(SEARCH, content=text, headers=JSON)).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/nothing",
            "/search",
            "/search/",
            "http://test//search/audio2visual",
            "/items/%2e%2e",
        ),
        *("/items/a%00b", "/items/%ff", "/items/a%0d%0ab", "/media/..%2f..%2fitems.db"),
        *(
            "/media/%2e%2e",
            "/items/",
            "/docs/",
            "/web/../settings.py",
            "/web/%2e%2e/app.py",
        ),
        *("/web/..%2fapp.py", "/web/a%00b", "/web//etc/passwd", "/evaluate/"),
    ],
)
async def test_paths_that_lead_nowhere(client: httpx.AsyncClient, path: str) -> None:
    check(await client.get(path), "not-found")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(("GET", SEARCH), ("PUT", SEARCH), ("PATCH", "/items/i00"), ("PUT", "/items")),
        *(("PATCH", "/media/i00"), ("POST", "/livez"), ("GET", "/evaluate")),
        ("OPTIONS", SEARCH),
    ],
)
async def test_methods_that_are_not_there(
    client: httpx.AsyncClient, method: str, path: str
) -> None:
    reply = await client.request(method, path)
    check(reply, "method-not-allowed")
    assert reply.headers["allow"]


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=201", "limit=x", "cursor=../", "page=2"]
)
async def test_bad_pages(client: httpx.AsyncClient, query: str) -> None:
    check(await client.get(f"/items?{query}"), "invalid-field")


@pytest.mark.parametrize(
    ("body", "codes"),
    [
        ({}, ["invalid-field"]),
        ({"stored": False}, ["invalid-field"]),
        ({"stored": 1}, ["invalid-field"]),
        ({"stored": True, "direction": "audio2visual"}, ["invalid-field"]),
        ({"stored": True, "directions": []}, ["invalid-field"]),
        ({"stored": True, "directions": ["up2down"]}, ["unknown-modality"]),
        ({"stored": True, "directions": ["audio2text"]}, ["unknown-modality"]),
        ({"stored": True, "split": "dev"}, ["invalid-field"]),
        ({"stored": True, "split": "val"}, ["invalid-field"]),
        ({"direction": "audio2visual", "queries": []}, ["invalid-field"]),
        ({"direction": "audio2visual", "queries": [{"id": "q"}]}, ["invalid-field"]),
        (
            {"direction": "text2audio", "queries": [{"id": "q", "vector": VECTOR}]},
            ["unknown-modality"],
        ),
        (
            {"direction": "audio2visual", "queries": [{"id": "q", "vector": [1]}]},
            ["bad-vector"],
        ),
        (
            {"direction": "audio2visual", "queries": [{"id": "q", "vector": "x"}]},
            ["bad-vector"],
        ),
        (
            {"direction": "audio2visual", "queries": [{"id": "q", "vector": VECTOR}] * 2},
            ["invalid-field"],
        ),
        (
            {
                "direction": "audio2visual",
                "queries": [{"id": "q", "vector": VECTOR}],
                "qrels": {"other": ["i00"]},
            },
            ["invalid-field"],
        ),
        (
            {
                "direction": "audio2visual",
                "queries": [{"id": "q", "vector": VECTOR}],
                "qrels": {"q": ["absent"]},
            },
            ["invalid-field"],
        ),
    ],
)
async def test_bad_evaluations(
    client: httpx.AsyncClient, body: dict[str, Any], codes: list[str]
) -> None:
    check(await client.post("/evaluate", json=body), *codes)


async def test_two_hundred_random_bodies_give_no_500(client: httpx.AsyncClient) -> None:
    rng = np.random.default_rng(0)
    seed = json.dumps({"vector": VECTOR, "k": 3, "filter": {"must": []}}).encode()
    for number in range(200):
        body = bytearray(seed)
        for place in rng.integers(0, len(body), rng.integers(1, 5)):
            body[place] = rng.integers(0, 256)
        path = SEARCH if number % 2 else "/evaluate"
        reply = await client.post(path, content=bytes(body), headers=JSON)
        assert reply.status_code in (200, 400, 422), (bytes(body), reply.text)
