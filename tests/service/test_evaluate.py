"""Evaluation over HTTP: the same numbers as offline, on the same embeddings."""

from __future__ import annotations

from typing import Any

import httpx
import numpy as np
import pytest

from crossmodal.embeddings import normalize
from crossmodal.metrics.card import Judged, evaluate, evaluate_direction
from crossmodal.modality import Modality, parse_direction
from service.openapi.evaluation_schemas import EvaluationReply

pytestmark = pytest.mark.anyio

MASK = (7,)


def offline(collection: Any, direction: str, split: str | None = None) -> dict[str, Any]:
    """Evaluate embeddings taken item by item, not by the view's own gathering."""
    view = collection.view
    sides = {}
    for modality in (Modality.AUDIO, Modality.VISUAL):
        items = [
            item
            for _, item in sorted(view.items.items())
            if modality in item.modalities and split in (None, item.metadata["split"])
        ]
        rows = [normalize(view.vectors(i.id, modality).mean(0)[None])[0] for i in items]
        both = [i.id if len(i.modalities) > 1 else None for i in items]
        sides[modality] = Judged(
            ids=[i.id for i in items],
            embeddings=np.stack(rows),
            labels=[i.label for i in items],
            pairs=both,
        )
    asked = parse_direction(direction)
    return evaluate(sides, [asked], MASK)[asked].summary()


def agree(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    assert set(ours) - {"curves"} == set(theirs)
    for name, value in theirs.items():
        assert ours[name] == (None if value is None else pytest.approx(value, abs=1e-9)), (
            name
        )


@pytest.mark.parametrize("split", [None, "test", "train"])
async def test_the_stored_collection_is_judged_as_offline(
    client: httpx.AsyncClient, collection: Any, split: str | None
) -> None:
    names = ["audio2visual", "visual2audio", "audio2audio", "visual2visual"]
    body = {"stored": True, "directions": names} | ({"split": split} if split else {})
    reply = await client.post("/evaluate", json=body)
    assert reply.status_code == 200, reply.text
    parsed = EvaluationReply.model_validate(reply.json())
    assert parsed.index.view_seq == collection.view.seq
    assert parsed.index.model == collection.bundle.model_id
    assert reply.headers["x-view-seq"] == str(collection.view.seq)
    for name in names:
        agree(reply.json()["directions"][name], offline(collection, name, split))


async def test_both_cross_modal_directions_are_the_default(
    client: httpx.AsyncClient,
) -> None:
    reply = await client.post("/evaluate", json={"stored": True})
    assert set(reply.json()["directions"]) == {"audio2visual", "visual2audio"}
    assert all("curves" not in figures for figures in reply.json()["directions"].values())


async def test_curves_are_given_when_asked_for(client: httpx.AsyncClient) -> None:
    reply = await client.post("/evaluate", json={"stored": True, "curves": True})
    EvaluationReply.model_validate(reply.json())
    curves = reply.json()["directions"]["audio2visual"]["curves"]
    assert len(curves["precision_recall_11_point"]) == 11
    assert len(curves["precision_recall"]["recall"]) == len(
        curves["precision_recall"]["precision"]
    )
    assert set(curves["average_precision_by_class"]) == {"rain", "siren", "waves"}


def own_queries(rows: int = 5) -> tuple[np.ndarray, list[dict[str, Any]]]:
    vectors = normalize(np.random.default_rng(11).normal(size=(rows, 8)))
    labels = ["rain", "siren", "waves", "rain", None]
    return vectors, [
        {"id": f"q{n}", "vector": vectors[n].astype(float).tolist(), "label": labels[n]}
        for n in range(rows)
    ]


async def test_own_queries_are_judged_by_their_labels(
    client: httpx.AsyncClient, collection: Any
) -> None:
    vectors, queries = own_queries()
    reply = await client.post(
        "/evaluate", json={"direction": "audio2visual", "queries": queries}
    )
    assert reply.status_code == 200, reply.text
    asked = Judged(
        ids=[q["id"] for q in queries],
        embeddings=vectors,
        labels=[q["label"] for q in queries],
    )
    report = evaluate_direction(
        parse_direction("audio2visual"), asked, collection.view.judged(Modality.VISUAL)
    )
    figures = reply.json()["directions"]["audio2visual"]
    agree(figures, report.summary())
    assert figures["queries_without_relevant"] == 1
    assert reply.json()["relevance"] == {"audio2visual": "class"}


async def test_own_judgments_take_the_place_of_labels(client: httpx.AsyncClient) -> None:
    _, queries = own_queries()
    best = {}
    for query in queries:
        found = await client.post("/search/audio2visual", json={"vector": query["vector"]})
        best[query["id"]] = [found.json()["results"][0]["id"]]
    reply = await client.post(
        "/evaluate", json={"direction": "audio2visual", "queries": queries, "qrels": best}
    )
    figures = reply.json()["directions"]["audio2visual"]
    assert figures["mean_average_precision"] == pytest.approx(1.0)
    assert figures["recall_at_1"] == pytest.approx(1.0)
    assert figures["median_rank"] == 1
    assert reply.json()["relevance"] == {"audio2visual": "judged"}


async def test_features_are_embedded_before_they_are_judged(
    client: httpx.AsyncClient, collection: Any
) -> None:
    width = collection.bundle.spec(Modality.AUDIO).input_dim
    features = np.random.default_rng(3).normal(size=width).tolist()
    vector = (await client.post("/embed/audio", json={"features": features})).json()[
        "vector"
    ]

    async def figures(**query: Any) -> Any:
        body = {
            "direction": "audio2visual",
            "queries": [{"id": "q", "label": "rain", **query}],
        }
        return (await client.post("/evaluate", json=body)).json()["directions"]

    assert await figures(features=features) == await figures(vector=vector)
