"""Search over HTTP: every kind of query, against brute force in float64."""

from __future__ import annotations

import io
import json
from typing import Any

import httpx
import numpy as np
import pytest

from crossmodal.bundle import Bundle
from crossmodal.embed import embed_features
from crossmodal.embeddings import normalize
from crossmodal.modality import Direction, Modality
from service.openapi import schemas

pytestmark = pytest.mark.anyio

AUDIO, VISUAL = Modality.AUDIO, Modality.VISUAL
DIRECTIONS = ["audio2visual", "visual2audio", "audio2audio", "visual2visual"]
MASKED = 7  # the bundle's same_modality_mask


def brute_force(
    collection: Any, gallery: str, queries: np.ndarray, leave_out: str = ""
) -> list[tuple[str, float]]:
    """Return every item by its best segment's best score over the query rows."""
    view, modality = collection.view, Modality(gallery)
    scores = {}
    for item_id, item in view.items.items():
        if modality in item.modalities and item_id != leave_out:
            products = view.vectors(item_id, modality).astype(np.float64) @ queries.T
            scores[item_id] = round(float(products.max()), 9)
    return sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))


def found(reply: httpx.Response) -> list[tuple[str, float]]:
    assert reply.status_code == 200, reply.text
    return [(result["id"], result["score"]) for result in reply.json()["results"]]


def same(ours: list[tuple[str, float]], theirs: list[tuple[str, float]]) -> bool:
    return [item for item, _ in ours] == [item for item, _ in theirs] and np.allclose(
        [score for _, score in ours], [score for _, score in theirs], rtol=0, atol=2e-9
    )


def unit(seed: int, rows: int = 1) -> np.ndarray:
    return normalize(np.random.default_rng(seed).normal(size=(rows, 8)))


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def masked(queries: np.ndarray, direction: str) -> np.ndarray:
    query, gallery = direction.split("2")
    asked = queries.astype(np.float64)
    if query == gallery:
        asked[:, MASKED] = 0
    return asked


@pytest.mark.parametrize("direction", DIRECTIONS)
async def test_search_by_octets_answers_as_by_numbers(
    client: httpx.AsyncClient, direction: str
) -> None:
    vector = (3 * unit(5)[0]).astype("<f4")
    path, kind = f"/search/{direction}", {"content-type": "application/octet-stream"}
    given = {"k": 4, "offset": 1, "exclude": "i03,i04", "score_threshold": -0.5}
    octets = await client.post(path, content=vector.tobytes(), params=given, headers=kind)
    numbers = await client.post(path, json={"vector": vector.tolist()}, params=given)
    for reply in (octets, numbers):
        assert reply.status_code == 200, reply.text
    assert octets.json()["query"] == numbers.json()["query"]
    assert octets.json()["results"] == numbers.json()["results"]
    assert octets.json()["results"]


@pytest.mark.parametrize(
    ("content", "params", "status", "code"),
    [
        (b"", {}, 422, "bad-vector"),
        (bytes(31), {}, 422, "bad-vector"),
        (bytes(32), {}, 422, "bad-vector"),
        (b"\xff" * 32, {}, 422, "bad-vector"),
        (b"\x3f" * 3_000_000, {}, 422, "bad-vector"),
        (b"\x3f" * 5_000_000, {}, 413, "too-large"),
        (b'{"vector": [1, 0, 0, 0, 0, 0, 0, 0]}', {}, 422, "bad-vector"),
        (b"\x3f" * 32, {"k": 0}, 422, "invalid-field"),
        (b"\x3f" * 32, {"start": 1}, 422, "invalid-field"),
        (b"\x3f" * 32, {"id": "i00"}, 422, "invalid-field"),
        (b"\x3f" * 32, {"vector": "1"}, 422, "invalid-field"),
    ],
)
async def test_octets_that_are_no_query_are_refused(
    client: httpx.AsyncClient, content: bytes, params: Any, status: int, code: str
) -> None:
    kind = {"content-type": "application/octet-stream"}
    path = "/search/audio2visual"
    reply = await client.post(path, content=content, params=params, headers=kind)
    assert (reply.status_code, reply.json()["code"]) == (status, code)
    embed = await client.post("/embed/audio", content=content or b"1", headers=kind)
    assert embed.status_code == 415


@pytest.mark.parametrize("direction", DIRECTIONS)
async def test_search_by_vector_ranks_as_brute_force(
    client: httpx.AsyncClient, collection: Any, direction: str
) -> None:
    vector = unit(3)
    reply = await client.post(
        f"/search/{direction}", json={"vector": vector[0].tolist(), "k": 1000}
    )
    expected = brute_force(collection, direction.split("2")[1], masked(vector, direction))
    assert same(found(reply), expected)


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("item_id", ["i00", "i02"])
async def test_search_by_id_uses_every_segment_and_leaves_itself_out_within(
    client: httpx.AsyncClient, collection: Any, direction: str, item_id: str
) -> None:
    query, gallery = direction.split("2")
    stored = collection.view.vectors(item_id, Modality(query))
    reply = await client.post(f"/search/{direction}", json={"id": item_id, "k": 1000})
    own = item_id if query == gallery else ""
    assert same(
        found(reply), brute_force(collection, gallery, masked(stored, direction), own)
    )
    assert reply.json()["query"]["segments"] == (2 if item_id == "i02" else 1)


async def test_search_by_id_in_the_query_string_needs_no_body(
    client: httpx.AsyncClient,
) -> None:
    by_body = await client.post("/search/audio2visual", json={"id": "i03", "k": 4})
    by_string = await client.post("/search/audio2visual?id=i03&k=4")
    assert found(by_body) == found(by_string)


async def test_search_by_features_embeds_them_and_npy_equals_json(
    client: httpx.AsyncClient, collection: Any
) -> None:
    width = collection.bundle.spec(AUDIO).input_dim
    features = np.random.default_rng(5).normal(size=width).astype(np.float32)
    vector = embed_features(collection.bundle, AUDIO, features)
    expected = brute_force(collection, "visual", vector.astype(np.float64))[:10]
    as_json = await client.post(
        "/search/audio2visual", json={"features": features.astype(float).tolist()}
    )
    as_npy = await client.post(
        "/search/audio2visual", files={"features": ("x", npy(features))}
    )
    assert same(found(as_json), expected)
    assert found(as_json) == found(as_npy)
    assert as_json.json()["query"]["source"] == "features"


@pytest.mark.parametrize(
    ("direction", "clip"), [("audio2visual", "sound"), ("visual2audio", "film")]
)
async def test_search_by_clip_equals_search_by_its_embedding(
    client: httpx.AsyncClient, clips: Any, direction: str, clip: str
) -> None:
    file = {"file": ("../../etc/passwd", clips[clip])}
    embedded = await client.post(f"/embed/{direction.split('2')[0]}", files=file)
    assert embedded.status_code == 200, embedded.text
    schemas.EmbeddingReply.model_validate(embedded.json())
    by_clip = await client.post(f"/search/{direction}", files=file)
    by_vector = await client.post(
        f"/search/{direction}", json={"vector": embedded.json()["vector"]}
    )
    assert found(by_clip) == found(by_vector)
    reply = by_clip.json()
    assert reply["query"]["duration_s"] == pytest.approx(1.0, abs=0.15)
    assert all(reply["took_ms"][stage] > 0 for stage in ("decode", "features", "search"))


async def test_start_and_end_choose_the_stretch_of_the_clip(
    client: httpx.AsyncClient, clips: Any
) -> None:
    async def vector(**params: float) -> list[float]:
        reply = await client.post(
            "/embed/audio",
            files={"file": ("a", clips["sound"])},
            data={"params": json.dumps(params)},
        )
        assert reply.status_code == 200, reply.text
        row: list[float] = reply.json()["vector"]
        return row

    assert await vector(start=0.5, end=1.0) != await vector()
    by_string = await client.post(
        "/embed/audio?start=0.5&end=1", files={"file": ("a", clips["sound"])}
    )
    assert by_string.json()["vector"] == await vector(start=0.5, end=1.0)


async def test_the_reply_has_the_documented_shape(
    client: httpx.AsyncClient, collection: Any
) -> None:
    reply = await client.post(
        "/search/audio2visual",
        json={"vector": unit(1)[0].tolist(), "k": 3, "with_vector": True},
    )
    body = schemas.SearchReply.model_validate(reply.json())
    assert [result.rank for result in body.results] == [1, 2, 3]
    assert body.index.view_seq == collection.view.seq
    assert reply.headers["x-view-seq"] == str(collection.view.seq)
    assert body.index.model == collection.bundle.model_id
    assert body.index.size == {"audio": 12, "visual": 11}
    assert reply.headers["x-request-id"] == body.request_id
    for result in body.results:
        stored = collection.view.vectors(result.id, VISUAL)
        assert any(np.allclose(result.vector, row) for row in stored)


async def test_media_is_named_where_it_is_stored(client: httpx.AsyncClient) -> None:
    reply = await client.post(
        "/search/audio2audio", json={"vector": unit(1)[0].tolist(), "k": 12}
    )
    media = {r["id"]: (r["media_url"], r["media_type"]) for r in reply.json()["results"]}
    assert media.pop("i00") == ("/media/i00", "audio/wav")
    assert media.pop("i01") == ("/media/i01", "video/mp4")
    assert set(media.values()) == {(None, None)}


async def test_offset_continues_the_ranking(client: httpx.AsyncClient) -> None:
    async def page(**parameters: int) -> list[tuple[str, float]]:
        body = {"vector": unit(4)[0].tolist(), **parameters}
        return found(await client.post("/search/audio2visual", json=body))

    assert await page(k=5, offset=3) == (await page(k=8))[3:]
    several = {"id": "i02", "k": 8}
    whole = found(await client.post("/search/audio2visual", json=several))
    rest = found(
        await client.post("/search/audio2visual", json={**several, "k": 5, "offset": 3})
    )
    assert rest == whole[3:]


async def test_excluded_items_take_no_place(client: httpx.AsyncClient) -> None:
    body = {"vector": unit(4)[0].tolist(), "k": 5}
    best = found(await client.post("/search/audio2visual", json=body))
    left = found(
        await client.post("/search/audio2visual", json={**body, "exclude": [best[0][0]]})
    )
    assert left[:4] == best[1:]
    assert len(left) == 5
    by_string = await client.post(
        f"/search/audio2visual?exclude={best[0][0]},{best[1][0]}", json=body
    )
    assert found(by_string)[:3] == best[2:]


async def test_score_threshold_cuts_the_ranking(client: httpx.AsyncClient) -> None:
    body = {"vector": unit(4)[0].tolist(), "k": 12}
    whole = found(await client.post("/search/audio2visual", json=body))
    threshold = whole[4][1]
    cut = found(
        await client.post(
            "/search/audio2visual", json={**body, "score_threshold": threshold}
        )
    )
    assert cut == [pair for pair in whole if pair[1] >= threshold]


async def test_confidence_is_the_probability_of_the_score(
    client: httpx.AsyncClient, bundle: Bundle
) -> None:
    known = bundle.manifest.confidence[Direction(AUDIO, VISUAL)]
    body = {"vector": unit(4)[0].tolist(), "k": 12}
    results = (await client.post("/search/audio2visual", json=body)).json()["results"]
    expected = [known.of(result["score"]) for result in results]
    assert [result["confidence"] for result in results] == expected
    assert len(set(expected)) > 3
    other = await client.post("/search/visual2audio", json=body)
    assert {result["confidence"] for result in other.json()["results"]} == {None}


async def test_min_confidence_leaves_a_ranking_without_an_answer_empty(
    client: httpx.AsyncClient,
) -> None:
    body = {"vector": unit(4)[0].tolist(), "k": 12}
    results = (await client.post("/search/audio2visual", json=body)).json()["results"]
    least = results[3]["confidence"]
    cut = await client.post("/search/audio2visual", json={**body, "min_confidence": least})
    assert cut.json()["results"] == [r for r in results if r["confidence"] >= least]
    none = await client.post("/search/audio2visual?min_confidence=1", json=body)
    assert none.status_code == 200
    assert none.json()["results"] == []


async def test_min_confidence_of_a_direction_without_one_is_refused(
    client: httpx.AsyncClient,
) -> None:
    body = {"vector": unit(4)[0].tolist(), "min_confidence": 0.5}
    reply = await client.post("/search/visual2audio", json=body)
    assert reply.status_code == 422
    assert reply.json()["code"] == "invalid-field"
    assert reply.json()["errors"][0]["field"] == "min_confidence"


async def test_group_by_segment_gives_every_segment_a_place(
    client: httpx.AsyncClient,
) -> None:
    body = {"vector": unit(4)[0].tolist(), "k": 20, "group_by": "segment"}
    results = (await client.post("/search/audio2visual", json=body)).json()["results"]
    segments = [r["segment"] for r in results if r["id"] == "i02"]
    assert len(results) == 12
    assert {(s["start"], s["end"]) for s in segments} == {(0.0, 1.0), (1.0, 2.0)}


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        ({"must": [{"field": "label", "eq": "siren"}]}, ["i01", "i04", "i07", "i10"]),
        ({"must": [{"field": "year", "gte": 2008}]}, ["i08", "i09", "i10"]),
        ({"must": [{"field": "year", "lte": 2001}]}, ["i00", "i01"]),
        ({"must": [{"field": "tags", "contains": "wet"}]}, ["i00", "i03", "i06", "i09"]),
        (
            {
                "should": [{"field": "year", "in": [2001, 2002]}],
                "must_not": [{"field": "place.city", "eq": "Lyon"}],
            },
            ["i02"],
        ),
        ({"must": [{"field": "absent", "eq": 1}]}, []),
    ],
)
async def test_filter_searches_among_the_items_it_admits(
    client: httpx.AsyncClient, collection: Any, wanted: Any, ids: list[str]
) -> None:
    vector = unit(6)
    body = {"vector": vector[0].tolist(), "k": 20, "filter": wanted}
    reply = await client.post("/search/audio2visual", json=body)
    expected = brute_force(collection, "visual", vector.astype(np.float64))
    assert same(found(reply), [pair for pair in expected if pair[0] in ids])
    by_string = await client.post(
        "/search/audio2visual",
        params={"filter": json.dumps(wanted)},
        json={"vector": vector[0].tolist(), "k": 20},
    )
    assert found(by_string) == found(reply)


async def test_exact_search_agrees_with_the_index(client: httpx.AsyncClient) -> None:
    body = {"vector": unit(9)[0].tolist(), "k": 12}
    plain = await client.post("/search/audio2visual", json=body)
    exact = await client.post("/search/audio2visual", json={**body, "exact": True})
    assert found(plain) == found(exact)
    assert exact.json()["index"]["exact"]


async def test_a_vector_is_scaled_and_a_unit_one_kept_bit_for_bit(
    client: httpx.AsyncClient, collection: Any
) -> None:
    vector = unit(2)[0].astype(float)
    as_is = await client.post("/search/audio2visual", json={"vector": vector.tolist()})
    scaled = await client.post(
        "/search/audio2visual", json={"vector": (1000 * vector).tolist()}
    )
    assert same(found(as_is), brute_force(collection, "visual", unit(2))[:10])
    assert [item for item, _ in found(as_is)] == [item for item, _ in found(scaled)]
