"""Batches: each search as it would have been alone, and all of one view."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
import pytest

from crossmodal.modality import Modality
from index.collection import Collection
from service.openapi import schemas
from service.searching import ranking
from service.searching.batches import MAX_RESULTS, MAX_SEARCHES

pytestmark = pytest.mark.anyio

BATCH = "/search/batch"
VECTOR = [1.0, 0, 0, 0, 0, 0, 0, 0]


def stripped(body: dict[str, Any]) -> dict[str, Any]:
    """A reply without what differs from one request to the next."""
    varying = ("took_ms", "request_id", "instance")
    return {name: value for name, value in body.items() if name not in varying}


async def test_each_is_answered_as_if_alone(client: httpx.AsyncClient) -> None:
    rng = np.random.default_rng(3)
    wanted: list[tuple[str, dict[str, Any]]] = [
        ("audio2visual", {"vector": rng.normal(size=8).tolist(), "k": 3}),
        ("visual2audio", {"id": "i04"}),
        ("audio2audio", {"id": "i02", "group_by": "segment", "with_vector": True}),
        ("visual2visual", {"id": "i11"}),  # has sound only
        ("audio2visual", {"vector": [1.0]}),
        ("audio2visual", {"vector": VECTOR, "k": 0}),
        ("audio2smell", {"vector": VECTOR}),
        ("audio2visual", {"vector": VECTOR, "start": 1.0}),
        ("audio2visual", {"id": "../i00"}),
        (
            "audio2visual",
            {"vector": VECTOR, "filter": {"must": [{"field": "year", "gte": 2006}]}},
        ),
        ("audio2visual", {"features": [1.0, 2.0]}),
        (
            "audio2visual",
            {"vector": VECTOR, "offset": 2, "exclude": ["i0"], "exact": True},
        ),
    ]
    batch = [{"direction": direction, **fields} for direction, fields in wanted]
    reply = await client.post(BATCH, json={"searches": batch})
    assert reply.status_code == 200
    parsed = schemas.BatchReply.model_validate(reply.json())
    assert reply.headers["x-view-seq"] == str(parsed.view_seq)
    statuses = set()
    for (direction, fields), answered in zip(wanted, reply.json()["results"], strict=True):
        alone = await client.post(f"/search/{direction}", json=fields)
        assert answered["status"] == alone.status_code, fields
        assert stripped(answered["body"]) == stripped(alone.json()), fields
        assert answered["body"]["request_id"] == parsed.request_id
        statuses.add(answered["status"])
    assert statuses == {200, 404, 422}


async def test_features_are_embedded(client: httpx.AsyncClient, collection: Any) -> None:
    width = collection.bundle.spec(Modality.AUDIO).input_dim
    features = np.random.default_rng(0).normal(size=width).tolist()
    search = {"direction": "audio2visual", "features": features}
    reply = (await client.post(BATCH, json={"searches": [search]})).json()["results"][0]
    alone = await client.post("/search/audio2visual", json={"features": features})
    assert stripped(reply["body"]) == stripped(alone.json())


class Moving:
    """A collection that is written to between any two looks at its view."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self._looks = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._collection, name)

    @property
    def view(self) -> Any:
        self._looks += 1
        view = self._collection.view
        return dataclasses.replace(view, seq=view.seq + self._looks)


async def test_all_see_one_view_while_the_collection_changes(
    connect: Any, collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await connect(Moving(collection))
    searches = [{"direction": "audio2visual", "vector": VECTOR}] * 20

    def seen(body: dict[str, Any]) -> set[int]:
        return {one["body"]["index"]["view_seq"] for one in body["results"]}

    reply = (await client.post(BATCH, json={"searches": searches})).json()
    assert seen(reply) == {reply["view_seq"]}

    # what looks at the collection anew for each search is found out
    from service.searching import batches

    answer = batches.answer_search

    def looks_anew(service: Any, _: Any, *rest: Any) -> Any:
        return answer(service, service.collection.view, *rest)

    monkeypatch.setattr("service.searching.batches.answer_search", looks_anew)
    reply = (await client.post(BATCH, json={"searches": searches})).json()
    assert len(seen(reply)) == 20


async def test_one_that_breaks_takes_no_other_with_it(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    unhindered = ranking.search

    def breaks(one: ranking.Search) -> Any:
        return [][1] if one.parameters.k == 7 else unhindered(one)

    monkeypatch.setattr("service.searching.answering.search", breaks)
    searches = [{"direction": "audio2visual", "vector": VECTOR, "k": k} for k in (6, 7, 8)]
    reply = await client.post(BATCH, json={"searches": searches})
    assert [one["status"] for one in reply.json()["results"]] == [200, 500, 200]
    assert "IndexError" not in reply.text


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"searches": []},
        {"searches": {}},
        {"searches": "x"},
        {"searches": [1]},
        {"searches": [None]},
        {"searches": [[]]},
        {"searches": [{"direction": "audio2visual", "id": "i00"}], "k": 3},
        {"searches": [{"direction": "audio2visual", "id": "i00"}] * (MAX_SEARCHES + 1)},
        {
            "searches": [{"direction": "audio2visual", "id": "i00", "k": 1000}]
            * (MAX_RESULTS // 1000 + 1)
        },
        {
            "searches": [
                {"direction": "audio2visual", "id": "i00", "k": 501, "with_vector": True}
            ]
            * 2
        },
    ],
)
async def test_batches_that_are_none(client: httpx.AsyncClient, body: Any) -> None:
    reply = await client.post(BATCH, json=body)
    assert (reply.status_code, reply.json()["code"]) == (422, "invalid-field")


@pytest.mark.parametrize(
    "search",
    [
        {},
        {"direction": None, "id": "i00"},
        {"direction": ["audio2visual"], "id": "i00"},
        {"direction": "audio2visual"},
        {"direction": "audio2visual", "file": "x"},
        {"direction": "audio2visual", "id": "i00", "searches": []},
        {"direction": "audio2visual", "id": None},
        {"direction": "audio2visual", "id": "i00", "vector": VECTOR},
    ],
)
async def test_a_search_that_is_none_fails_alone(
    client: httpx.AsyncClient, search: Any
) -> None:
    good = {"direction": "audio2visual", "id": "i00"}
    reply = await client.post(BATCH, json={"searches": [search, good]})
    first, second = reply.json()["results"]
    assert (first["status"], first["body"]["code"]) == (422, "invalid-field")
    assert second["status"] == 200


async def test_the_query_string_holds_no_parameters(client: httpx.AsyncClient) -> None:
    body = {"searches": [{"direction": "audio2visual", "id": "i00"}]}
    reply = await client.post(f"{BATCH}?k=3", json=body)
    assert (reply.status_code, reply.json()["code"]) == (422, "invalid-field")


async def test_it_has_a_queue_of_its_own(connect: Any) -> None:
    client = await connect(batch_places=1)
    runtime: SimpleNamespace = client._transport.app.state.runtime
    body = {"searches": [{"direction": "audio2visual", "id": "i00"}]}
    with runtime.batches:
        refused = await client.post(BATCH, json=body)
        assert (refused.status_code, refused.json()["code"]) == (429, "busy")
        alone = await client.post("/search/audio2visual", json={"id": "i00"})
        assert alone.status_code == 200
    assert (await client.post(BATCH, json=body)).status_code == 200


async def test_while_nothing_is_ready_it_says_so(connect: Any) -> None:
    client = await connect(None)
    reply = await client.post(BATCH, json={"searches": [{"id": "i00"}]})
    assert (reply.status_code, reply.json()["code"]) == (503, "not-ready")
