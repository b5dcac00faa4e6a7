"""A bundle trained for one direction: the service offers that one and refuses the other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx
import numpy as np
import pytest

from crossmodal.embeddings import normalize
from crossmodal.modality import Direction, Modality
from tests.service.toy_bundle import DIM

pytestmark = pytest.mark.anyio

SERVED = ["audio2visual", "audio2audio", "visual2visual"]


@pytest.fixture
def vector() -> list[float]:
    row: list[float] = normalize(np.random.default_rng(3).normal(size=(1, DIM)))[0].tolist()
    return row


@pytest.fixture(autouse=True)
def marked(collection: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mark the bundle as one for audio queries."""
    way = Direction(Modality.AUDIO, Modality.VISUAL)
    manifest = replace(collection.bundle.manifest, direction=way)
    monkeypatch.setattr(collection.bundle, "manifest", manifest)


def refused(reply: httpx.Response) -> bool:
    problem = reply.json()
    return (reply.status_code, problem["type"], problem["detail"]) == (
        422,
        "urn:earshot:problem:unknown-modality",
        "the model was trained for audio2visual alone; visual2audio needs a collection "
        "made with the bundle for it",
    )


async def test_it_is_listed_without_the_other_direction(
    client: httpx.AsyncClient, collection: Any
) -> None:
    assert (await client.get("/collection")).json()["directions"] == SERVED
    assert collection.info()["direction"] == "audio2visual"


async def test_searches_of_the_other_direction_are_refused(
    client: httpx.AsyncClient, vector: list[float]
) -> None:
    for way in SERVED:
        reply = await client.post(f"/search/{way}", json={"vector": vector})
        assert reply.status_code == 200, reply.text
    assert refused(await client.post("/search/visual2audio", json={"vector": vector}))
    batch = [{"direction": "visual2audio", "vector": vector}]
    reply = await client.post("/search/batch", json={"searches": batch})
    (answer,) = reply.json()["results"]
    assert answer["status"] == 422


async def test_evaluation_leaves_the_other_direction_out(
    client: httpx.AsyncClient, vector: list[float]
) -> None:
    reply = await client.post("/evaluate", json={"stored": True})
    assert set(reply.json()["directions"]) == {"audio2visual"}
    named = {"stored": True, "directions": ["audio2visual", "visual2audio"]}
    assert refused(await client.post("/evaluate", json=named))
    queries = [{"id": "q", "vector": vector, "label": "rain"}]
    own = {"direction": "visual2audio", "queries": queries}
    assert refused(await client.post("/evaluate", json=own))
