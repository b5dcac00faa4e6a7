"""Search over HTTP: every kind of query, against brute force in float64."""

from __future__ import annotations

from typing import Any

import httpx
import numpy as np
import pytest

from crossmodal.modality import Modality

pytestmark = pytest.mark.anyio

AUDIO, VISUAL = Modality.AUDIO, Modality.VISUAL
DIRECTIONS = ["audio2visual", "visual2audio", "audio2audio", "visual2visual"]


def brute_force(
    collection: Any, gallery: str, query: np.ndarray
) -> list[tuple[str, float]]:
    judged = collection.view.judged(Modality(gallery))
    scores = np.round(judged.embeddings.astype(np.float64) @ query.astype(np.float64), 9)
    return sorted(
        zip(judged.ids, scores.tolist(), strict=True), key=lambda p: (-p[1], p[0])
    )


def found(reply: httpx.Response) -> list[tuple[str, float]]:
    assert reply.status_code == 200, reply.text
    return [(result["id"], result["score"]) for result in reply.json()["results"]]


def unit(seed: int, dim: int = 8) -> np.ndarray:
    row = np.random.default_rng(seed).normal(size=dim)
    return (row / np.linalg.norm(row)).astype(np.float32)


@pytest.mark.parametrize("direction", DIRECTIONS)
async def test_vector_search_ranks_as_brute_force(
    client: httpx.AsyncClient, collection: Any, direction: str
) -> None:
    query, gallery = direction.split("2")
    vector = unit(3)
    masked = vector.copy()
    if query == gallery:
        masked[7] = 0  # the bundle's same_modality_mask
    reply = await client.post(
        f"/search/{direction}", json={"vector": vector.tolist(), "k": 1000}
    )
    assert found(reply) == brute_force(collection, gallery, masked)
