"""Items, the collection, health and the reference: what can be looked at."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from service.openapi import schemas
from service.version import VERSION

pytestmark = pytest.mark.anyio


async def test_pages_follow_each_other_to_the_end(
    client: httpx.AsyncClient, collection: Any
) -> None:
    ids: list[str] = []
    cursor, pages = None, 0
    while pages == 0 or cursor:
        query = {"limit": "5"} | ({"cursor": cursor} if cursor else {})
        reply = await client.get("/items", params=query)
        page = schemas.ItemsReply.model_validate(reply.json())
        ids += [item.id for item in page.items]
        cursor, pages = page.next_cursor, pages + 1
    assert ids == sorted(collection.view.items)
    assert pages == 3


async def test_an_item_is_told_as_stored(
    client: httpx.AsyncClient, collection: Any
) -> None:
    reply = await client.get("/items/i01")
    item = schemas.ItemWithIdReply.model_validate(reply.json())
    assert item.label == "siren"
    assert item.metadata == collection.view.item("i01").metadata
    assert (item.media_url, item.media_type) == ("/media/i01", "video/mp4")
    assert item.modalities == ["audio", "visual"]
    missing = await client.get("/items/absent")
    assert (missing.status_code, missing.json()["code"]) == (404, "not-found")


async def test_the_collection_tells_what_can_be_asked(
    client: httpx.AsyncClient, collection: Any
) -> None:
    reply = await client.get("/collection")
    told = schemas.CollectionReply.model_validate(reply.json())
    assert told.items == 12
    assert told.size == {"audio": 12, "visual": 11}
    assert told.segments == {"audio": 13, "visual": 12}
    assert told.directions[:2] == ["audio2visual", "visual2audio"]
    assert set(told.directions[2:]) == {"audio2audio", "visual2visual"}
    assert told.labels == ["rain", "siren", "waves"]
    assert told.splits == ["test", "train"]
    assert told.model.frontends == {"audio": "logmel", "visual": "framestats"}
    assert told.model.id == collection.bundle.model_id
    assert told.media


async def test_health_routes_answer_as_documented(client: httpx.AsyncClient) -> None:
    schemas.Alive.model_validate((await client.get("/livez")).json())
    vitals = schemas.Vitals.model_validate((await client.get("/readyz")).json())
    assert (vitals.status, vitals.reasons) == ("ready", [])
    health = schemas.Health.model_validate((await client.get("/healthz")).json())
    assert health.queues["searches"] == {"places": 64, "taken": 0, "refused": 0}
    version = (await client.get("/version")).json()
    schemas.Version.model_validate(version)
    assert version["version"] == VERSION


async def test_metrics_count_requests_by_template_and_time_stages(
    client: httpx.AsyncClient, clips: Any
) -> None:
    async def sample(name: str, **labels: str) -> float:
        text = (await client.get("/metrics")).text
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    route = {"route": "/search/{direction}", "status": "200"}
    before = await sample("earshot_requests_total", **route)
    decoded = await sample("earshot_stage_seconds_count", stage="decode")
    await client.post("/search/audio2visual", files={"file": ("a", clips["sound"])})
    assert await sample("earshot_requests_total", **route) == before + 1
    assert await sample("earshot_stage_seconds_count", stage="decode") == decoded + 1
    assert await sample("earshot_index_vectors", modality="visual") == 12
    assert await sample("earshot_ready") == 1
    await client.get("/secret-path-of-someone")
    assert "secret-path" not in (await client.get("/metrics")).text


@pytest.mark.parametrize(
    "path", ["/livez", "/nothing", "/collection", "/docs", "/media/i00"]
)
async def test_every_reply_is_enveloped(client: httpx.AsyncClient, path: str) -> None:
    reply = await client.get(path, headers={"x-request-id": "mine-1"})
    assert reply.headers["x-request-id"] == "mine-1"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in reply.headers["content-security-policy"]
    assert "server" not in reply.headers
    odd = await client.get(path, headers={"x-request-id": "a b\x7f"})
    assert odd.headers["x-request-id"] != "a b\x7f"
    assert "access-control-allow-origin" not in odd.headers


async def test_the_reference_lists_every_operation(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    page = (await client.get("/docs")).text
    for path in document["paths"]:
        assert path in page
    assert "<script" not in page
