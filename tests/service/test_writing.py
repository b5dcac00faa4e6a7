"""Storing and deleting over HTTP: what is answered is durable, found, and told right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from crossmodal.embeddings import normalize
from crossmodal.modality import Modality
from index.collection import Collection
from service.openapi import schemas
from tests.service.toy_bundle import DIM

pytestmark = pytest.mark.anyio

AUDIO, VISUAL = Modality.AUDIO, Modality.VISUAL


@pytest.fixture
async def client(connect: Any, writable: Collection) -> httpx.AsyncClient:
    made: httpx.AsyncClient = await connect(writable)
    return made


def vector(seed: int) -> list[float]:
    row: list[float] = normalize(np.random.default_rng(seed).normal(size=(1, DIM)))[
        0
    ].tolist()
    return row


def item(item_id: str, seed: int = 1, **more: Any) -> dict[str, Any]:
    return {"id": item_id, "vectors": {"audio": vector(seed)}, **more}


async def find(client: httpx.AsyncClient, direction: str, seed: int) -> dict[str, Any]:
    body = {"vector": vector(seed), "k": 1, "with_vector": True}
    reply = await client.post(f"/search/{direction}", json=body)
    (result,) = reply.json()["results"]
    return {**result, "view_seq": reply.json()["index"]["view_seq"]}


async def test_what_is_answered_is_found_in_every_gallery_and_survives_reopening(
    client: httpx.AsyncClient, writable: Collection, copied: Path
) -> None:
    given = {
        "id": "new",
        "label": "rain",
        "metadata": {"split": "val", "deep": [{"a": 1.5}], "n": 2**60},
        "vectors": {
            "audio": [
                {"start": 0, "end": 1, "vector": vector(1)},
                {"start": 1, "end": 2.5, "vector": vector(2)},
            ],
            "visual": vector(3),
        },
    }
    reply = await client.post("/items", json={"items": [given]})
    assert reply.status_code == 200
    written = schemas.WrittenReply.model_validate(reply.json())
    assert reply.json()["items"] == [{"id": "new", "status": "created"}]
    assert int(reply.headers["x-view-seq"]) == written.view_seq
    for direction, seed, span in (
        ("visual2audio", 2, {"start": 1.0, "end": 2.5}),
        ("audio2visual", 3, {"start": 0.0, "end": None}),
    ):
        found = await find(client, direction, seed)
        assert found["view_seq"] >= written.view_seq
        assert (found["id"], found["segment"], found["label"]) == ("new", span, "rain")
        assert found["metadata"] == given["metadata"]
        assert found["vector"] == pytest.approx(vector(seed), abs=1e-7)
    writable.close()
    with Collection.open(copied) as again:
        stored = again.view.item("new")
        assert (stored.label, stored.metadata) == ("rain", given["metadata"])
        rows = np.array([vector(1), vector(2)], dtype=np.float32)
        np.testing.assert_array_equal(again.view.vectors("new", AUDIO), rows)


async def test_each_item_has_its_own_status(
    client: httpx.AsyncClient, writable: Collection
) -> None:
    before = writable.view.seq
    cases: list[tuple[Any, str | None, str, str | None]] = [
        (item("a"), "a", "created", None),
        (item("a", 2), "a", "exists", None),
        (item("i00"), "i00", "exists", None),
        (item("../b"), None, "refused", "invalid-field"),
        ({"vectors": {"audio": vector(1)}}, None, "refused", "invalid-field"),
        (item("c", seq=5), "c", "refused", "invalid-field"),
        (item("c", media_sha256="0" * 64), "c", "refused", "invalid-field"),
        (item("c", label="x" * 1001), "c", "refused", "invalid-field"),
        (item("c", metadata={"x": "y" * 17_000}), "c", "refused", "invalid-field"),
        (item("c", metadata=deep(9)), "c", "refused", "invalid-field"),
        (item("c", metadata={"split": ["x"]}), "c", "refused", "invalid-field"),
        (item("c", metadata={"pair": 5}), "c", "refused", "invalid-field"),
        ({"id": "c"}, "c", "refused", "invalid-field"),
        ({"id": "c", "vectors": {"audio": []}}, "c", "refused", "bad-vector"),
        ({"id": "c", "vectors": {"audio": [0.0] * DIM}}, "c", "refused", "bad-vector"),
        ({"id": "c", "vectors": {"audio": [True] * DIM}}, "c", "refused", "bad-vector"),
        ({"id": "c", "vectors": {"audio": [1.0]}}, "c", "refused", "bad-vector"),
        ({"id": "c", "vectors": {"smell": vector(1)}}, "c", "refused", "unknown-modality"),
        ({"id": "c", "vectors": {"text": vector(1)}}, "c", "refused", "unknown-modality"),
        ({"id": "c", "features": {"audio": [1.0]}}, "c", "refused", "bad-vector"),
        (
            {"id": "c", "vectors": {"audio": vector(1)}, "features": {"audio": [1.0]}},
            "c",
            "refused",
            "invalid-field",
        ),
        (
            {
                "id": "c",
                "vectors": {"audio": [{"start": 2, "end": 1, "vector": vector(1)}]},
            },
            "c",
            "refused",
            "invalid-field",
        ),
        (
            {"id": "c", "vectors": {"audio": [{"features": vector(1)}]}},
            "c",
            "refused",
            "invalid-field",
        ),
        (item("d", 4, metadata=deep(8)), "d", "created", None),
    ]
    reply = await client.post("/items", json={"items": [case[0] for case in cases]})
    assert reply.status_code == 200
    schemas.WrittenReply.model_validate(reply.json())
    for case, told in zip(cases, reply.json()["items"], strict=True):
        assert (told["id"], told["status"], told.get("code")) == case[1:], case[0]
        assert ("detail" in told) is (told["status"] == "refused")
    view = writable.view
    assert set(view.items) == {f"i{n:02}" for n in range(12)} | {"a", "d"}
    assert view.seq == before + 4  # two vectors and two items
    row = np.array(vector(1), dtype=np.float32)
    np.testing.assert_array_equal(view.vectors("a", AUDIO)[0], row)


def deep(levels: int) -> dict[str, Any]:
    value: Any = 1
    for _ in range(levels):
        value = {"a": value}
    assert isinstance(value, dict)
    return value


async def test_features_are_embedded_as_a_search_embeds_them(
    client: httpx.AsyncClient, writable: Collection
) -> None:
    width = writable.bundle.spec(AUDIO).input_dim
    features = np.random.default_rng(0).normal(size=width).tolist()
    body = {"items": [{"id": "f", "features": {"audio": features}}]}
    assert (await client.post("/items", json=body)).json()["items"][0][
        "status"
    ] == "created"
    embedded = (await client.post("/embed/audio", json={"features": features})).json()
    stored = writable.view.vectors("f", AUDIO)[0]
    np.testing.assert_array_equal(stored, np.array(embedded["vector"], dtype=np.float32))


async def test_a_put_takes_the_place_and_a_post_only_if_told_to(
    client: httpx.AsyncClient, writable: Collection
) -> None:
    reply = await client.put("/items/i03", json={"vectors": {"visual": vector(7)}})
    schemas.ItemWrittenReply.model_validate(reply.json())
    assert (reply.status_code, reply.json()["status"]) == (200, "replaced")
    assert writable.view.item("i03").modalities == (VISUAL,)
    assert writable.view.item("i03").label is None
    made = await client.put("/items/fresh", json={"vectors": {"visual": vector(8)}})
    assert (made.status_code, made.json()["status"]) == (201, "created")
    assert made.headers["location"] == "/items/fresh"
    body = {"items": [item("i03", 9)], "replace": True}
    replaced = await client.post("/items", json=body)
    assert replaced.json()["items"] == [{"id": "i03", "status": "replaced"}]
    assert writable.view.item("i03").modalities == (AUDIO,)
    for path, wrong in (
        ("/items/b%20d", {"vectors": {"visual": vector(8)}}),
        ("/items/bad", {"id": "bad", "vectors": {"visual": vector(8)}}),
        ("/items/bad", {"vectors": {"visual": [1.0]}}),
        ("/items/bad", {"vectors": {"visual": vector(8)}, "metadata": {"x": "y" * 17_000}}),
    ):
        refused = await client.put(path, json=wrong)
        assert refused.status_code == 422, wrong
    assert "bad" not in writable.view.items


async def test_deleted_items_are_gone_from_every_gallery(
    client: httpx.AsyncClient, writable: Collection
) -> None:
    reply = await client.delete("/items/i00")
    schemas.ItemWrittenReply.model_validate(reply.json())
    assert (reply.status_code, reply.json()["status"]) == (200, "deleted")
    for path in ("/items/i00", "/media/i00"):
        assert (await client.get(path)).status_code == 404
    for item_id in ("i00", "absent", "%ff", "a%20b"):
        again = await client.delete(f"/items/{item_id}")
        assert (again.status_code, again.json()["code"]) == (404, "not-found")
    several = await client.post("/items/delete", json={"ids": ["i01", "gone", "i02"]})
    schemas.DeletedReply.model_validate(several.json())
    assert several.json()["items"] == [
        {"id": "i01", "status": "deleted"},
        {"id": "gone", "status": "missing"},
        {"id": "i02", "status": "deleted"},
    ]
    wanted = {"filter": {"must": [{"field": "year", "gte": 2008}]}}
    filtered = (await client.post("/items/delete", json=wanted)).json()
    assert [one["id"] for one in filtered["items"]] == ["i08", "i09", "i10", "i11"]
    assert (several.json()["deleted"], filtered["deleted"]) == (2, 4)
    assert (several.json()["more"], filtered["more"]) == (False, False)
    for direction in ("visual2audio", "audio2visual"):
        body = {"vector": vector(1), "k": 100}
        found = (await client.post(f"/search/{direction}", json=body)).json()
        assert found["index"]["view_seq"] >= filtered["view_seq"]
        assert {one["id"] for one in found["results"]} == {f"i{n:02}" for n in range(3, 8)}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"ids": []},
        {"ids": ["i00"], "filter": {"must": [{"field": "year", "gte": 1}]}},
        {"filter": {}},
        {"filter": {"must": []}},
        {"ids": ["a b"]},
        {"ids": ["i00"] * 257},
        {"ids": ["i00"], "all": True},
    ],
)
async def test_a_deletion_that_is_not_plain_deletes_nothing(
    client: httpx.AsyncClient, writable: Collection, body: Any
) -> None:
    reply = await client.post("/items/delete", json=body)
    assert (reply.status_code, reply.json()["code"]) == (422, "invalid-field")
    assert len(writable.view.items) == 12


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"items": []}, 422, "invalid-field"),
        ({"items": [item("a")] * 257}, 422, "invalid-field"),
        ({"items": {}}, 422, "invalid-field"),
        ({"items": [5]}, 422, "invalid-field"),
        ({"items": [item("a")], "x": 1}, 422, "invalid-field"),
        ({"items": [item("a")], "model": "0" * 64}, 409, "model-mismatch"),
        (b"{", 400, "malformed-request"),
        (
            b'{"items": [{"id": "a", "vectors": {"audio": [NaN]}}]}',
            400,
            "malformed-request",
        ),
        (b" " * (5 << 20), 413, "too-large"),
    ],
)
async def test_a_request_that_is_wrong_as_a_whole_stores_nothing(
    client: httpx.AsyncClient, writable: Collection, body: Any, status: int, code: str
) -> None:
    sent = {"content": body} if isinstance(body, bytes) else {"json": body}
    headers = {"content-type": "application/json"}
    reply = await client.post("/items", **sent, headers=headers)
    assert (reply.status_code, reply.json()["code"]) == (status, code)
    assert len(writable.view.items) == 12
    model = writable.bundle.model_id
    known = await client.post("/items", json={"items": [item("a")], "model": model})
    assert known.json()["items"][0]["status"] == "created"


async def test_a_full_disk_refuses_to_store_but_searches_and_deletes(
    client: httpx.AsyncClient, writable: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> bool:
        return False

    monkeypatch.setattr("index.writing.write_path.WritePath._has_spare", full)
    monkeypatch.setattr(writable._writing._writer, "_spare", full)  # type: ignore[union-attr]
    for reply in (
        await client.post("/items", json={"items": [item("a")]}),
        await client.put("/items/a", json={"vectors": {"audio": vector(1)}}),
    ):
        assert (reply.status_code, reply.json()["code"]) == (507, "storage-full")
    assert (await find(client, "visual2audio", 1))["id"]
    assert (await client.delete("/items/i00")).status_code == 200
    monkeypatch.undo()
    monkeypatch.setattr(writable._writing._writer, "_spare", lambda: True)  # type: ignore[union-attr]
    reply = await client.post("/items", json={"items": [item("a")]})
    assert reply.json()["items"][0]["status"] == "created"


async def test_a_collection_that_is_only_read_is_not_written_to(
    connect: Any, collection: Collection
) -> None:
    client = await connect(collection)
    for reply in (
        await client.post("/items", json={"items": [item("a")]}),
        await client.put("/items/a", json={"vectors": {"audio": vector(1)}}),
        await client.delete("/items/i00"),
        await client.post("/items/delete", json={"ids": ["i00"]}),
    ):
        assert (reply.status_code, reply.json()["code"]) == (403, "forbidden")
    assert (await client.get("/items/i00")).status_code == 200


@pytest.mark.parametrize(("read_only", "status"), [(False, 200), (True, 403)])
async def test_a_setting_tells_whether_the_directory_is_held_for_writing(
    connect: Any, copied: Path, read_only: bool, status: int
) -> None:
    client = await connect(None, data=copied, read_only=read_only)
    reply = await client.post("/items", json={"items": [item("a")]})
    assert reply.status_code in (status, 507)
    with_others = Collection.open
    if read_only:
        with_others(copied).close()
    else:
        with pytest.raises(Exception, match="in use by another process"):
            with_others(copied)


async def test_a_full_queue_refuses_before_the_body_is_read(
    connect: Any, writable: Collection
) -> None:
    client = await connect(writable, write_places=1)
    lane = client._transport.app.state.runtime.writes
    lane.taken = 1

    async def body() -> Any:
        raise AssertionError("the body was read")
        yield b""

    headers = {"content-type": "application/json"}
    for method, path in (
        ("POST", "/items"),
        ("PUT", "/items/a"),
        ("POST", "/items/delete"),
        ("DELETE", "/items/a"),
    ):
        reply = await client.request(method, path, content=body(), headers=headers)
        assert (reply.status_code, reply.json()["code"]) == (429, "busy"), path
        assert int(reply.headers["retry-after"]) >= 1
    lane.taken = 0
    assert (await client.delete("/items/i00")).status_code == 200
