"""Telemetry: what happened is counted once, under its name."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from service.watching.telemetry import STAGES, Telemetry

pytestmark = pytest.mark.anyio


def value(text: str, name: str, **labels: str) -> float:
    (found,) = (
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and sample.labels == labels
    )
    return float(found)


def test_every_stage_is_there_from_the_start() -> None:
    text = Telemetry().render().decode()
    for stage in ("decode", "features", "encode", "search", "store"):
        assert value(text, "earshot_stage_seconds_count", stage=stage) == 0
        assert stage in STAGES


def test_stages_that_did_not_run_are_not_counted() -> None:
    telemetry = Telemetry()
    telemetry.stages({"decode": 0.0, "search": 250.0, "total": 300.0})
    text = telemetry.render().decode()
    assert value(text, "earshot_stage_seconds_count", stage="decode") == 0
    assert value(text, "earshot_stage_seconds_sum", stage="search") == 0.25


def test_a_failure_is_timed_too() -> None:
    telemetry = Telemetry()
    with pytest.raises(ZeroDivisionError), telemetry.timed("store"):
        raise ZeroDivisionError
    text = telemetry.render().decode()
    assert value(text, "earshot_stage_seconds_count", stage="store") == 1


async def scrape(client: httpx.AsyncClient) -> str:
    return (await client.get("/metrics")).text


async def test_errors_are_counted_by_code_and_queues_as_they_are(
    connect: Any, api_keys: str, secrets: Any
) -> None:
    key = {"authorization": f"Bearer {secrets['read']}"}
    client = await connect(
        api_keys=api_keys, headers=key, search_places=1, failed_burst=1, failed_rate=0.001
    )
    runtime = client._transport.app.state.runtime
    wrong = {"authorization": "Bearer wrong"}
    for _ in range(2):
        await client.get("/version", headers=wrong)
    await client.get("/nothing")
    await client.post("/livez")
    bad = {"direction": "audio2visual", "vector": [1.0]}
    await client.post("/search/batch", json={"searches": [bad] * 3})
    with runtime.searches:
        await client.post("/search/audio2visual", json={"id": "i00"})
        text = await scrape(client)
    counted = {
        "unauthenticated": 1,
        "rate-limited": 1,
        "not-found": 1,
        "method-not-allowed": 1,
        "bad-vector": 3,
        "busy": 1,
        "internal": 0,
    }
    for code, count in counted.items():
        assert value(text, "earshot_problems_total", code=code) == count, code
    assert value(text, "earshot_places", queue="searches") == 1
    assert value(text, "earshot_places_taken", queue="searches") == 1
    assert value(text, "earshot_refused_total", queue="searches") == 1
    assert value(text, "earshot_refused_total", queue="uploads") == 0
    assert value(await scrape(client), "earshot_places_taken", queue="searches") == 0


async def test_the_index_is_told_as_it_is(
    client: httpx.AsyncClient, collection: Any
) -> None:
    view = collection.view
    text = await scrape(client)
    assert value(text, "earshot_index_items", modality="audio") == 12
    assert value(text, "earshot_index_items", modality="visual") == 11
    assert value(text, "earshot_index_vectors", modality="visual") == 12
    assert value(text, "earshot_index_unserved_vectors") == 0
    assert value(text, "earshot_view_seq") == view.seq
    assert value(text, "earshot_ready") == 1
    assert value(text, "earshot_reasons") == 0


async def test_what_stands_beside_the_index_files_is_told(
    connect: Any, writable: Any
) -> None:
    client = await connect(writable)
    vectors = {"audio": [1.0] * 8}
    items = [{"id": f"new{number}", "vectors": vectors} for number in range(3)]
    assert (await client.post("/items", json={"items": items})).status_code == 200
    assert (await client.delete("/items/i02")).status_code == 200  # two segments
    text = await scrape(client)
    tail, deleted = "earshot_index_tail_vectors", "earshot_index_deleted_vectors"
    assert value(text, tail, modality="audio") == 3
    assert value(text, tail, modality="visual") == 0
    assert value(text, deleted, modality="audio") == 2
    assert value(text, deleted, modality="visual") == 2
    writable.compact()
    text = await scrape(client)
    for modality in ("audio", "visual"):
        assert value(text, tail, modality=modality) == 0
        assert value(text, deleted, modality=modality) == 0


async def test_looking_at_items_is_timed_as_store(client: httpx.AsyncClient) -> None:
    name = "earshot_stage_seconds_count"
    before = value(await scrape(client), name, stage="store")
    await client.get("/items")
    await client.get("/items/i00")
    assert value(await scrape(client), name, stage="store") == before + 2
