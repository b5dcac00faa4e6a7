"""Readiness: what is said, and answered, while the service cannot work or only in part."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crossmodal.encoder import OnnxEncoder
from crossmodal.errors import FrontEndError
from crossmodal.media.decoder import Decoder
from index.storage.transaction import Transaction
from service.watching.readiness import Readiness, Status

pytestmark = pytest.mark.anyio

QUERY = {"vector": [1.0, 0, 0, 0, 0, 0, 0, 0]}


async def test_a_data_directory_is_opened_and_closed(connect: Any, copied: Path) -> None:
    client = await connect(None, data=copied)
    assert (await client.get("/readyz")).json() == {"status": "ready", "reasons": []}
    assert (await client.post("/search/audio2visual", json=QUERY)).status_code == 200


async def test_without_data_nothing_is_ready_but_the_process_lives(connect: Any) -> None:
    client = await connect(None)
    assert (await client.get("/livez")).status_code == 200
    for reply in (
        await client.get("/readyz"),
        await client.get("/collection"),
        await client.post("/search/audio2visual", json=QUERY),
        await client.post("/evaluate", json={"stored": True}),
    ):
        assert (reply.status_code, reply.json()["code"]) == (503, "not-ready")
        assert int(reply.headers["retry-after"]) >= 1
    health = (await client.get("/healthz")).json()
    assert (health["status"], health["index"]) == ("not-ready", None)


async def test_a_disk_that_fails_is_told_and_searches_go_on(
    connect: Any, copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    client = await connect(None, data=copied)
    item = {"vectors": {"audio": QUERY["vector"]}}
    with monkeypatch.context() as patch:
        patch.setattr(Transaction, "insert", failing)
        patch.setattr(Transaction, "rewrite_header", failing)
        for _ in range(2):
            reply = await client.put("/items/new", json=item)
            assert (reply.status_code, reply.json()["code"]) == (503, "not-ready")
            assert "disk I/O error" in reply.json()["detail"]
            assert int(reply.headers["retry-after"]) >= 1
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
        assert "disk I/O error" in ready.json()["reasons"][0]
        assert "earshot_writing 0.0" in (await client.get("/metrics")).text
        found = await client.post("/search/audio2visual", json=QUERY)
        assert found.status_code == 200
    assert (await client.put("/items/new", json=item)).status_code == 201
    assert (await client.get("/readyz")).json() == {"status": "ready", "reasons": []}
    assert "earshot_writing 1.0" in (await client.get("/metrics")).text


async def test_a_collection_of_another_model_is_answered_with_409(
    connect: Any, copied: Path
) -> None:
    manifest = copied / "bundle" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"random"', '"cca"'))
    client = await connect(None, data=copied)
    ready = await client.get("/readyz")
    assert ready.status_code == 503
    assert str(copied) not in ready.text
    reply = await client.post("/search/audio2visual", json=QUERY)
    assert (reply.status_code, reply.json()["code"]) == (409, "model-mismatch")


async def test_a_damaged_bundle_is_named_without_its_place(
    connect: Any, copied: Path
) -> None:
    (copied / "bundle" / "audio.onnx").write_bytes(b"not the graph")
    client = await connect(None, data=copied)
    ready = await client.get("/readyz")
    assert ready.status_code == 503
    assert "audio.onnx" in ready.json()["detail"]
    assert str(copied.parent) not in ready.text


async def test_missing_weights_take_clips_away_but_not_vectors(
    connect: Any, collection: Any, clips: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_weights(modality: Any) -> Any:
        raise FrontEndError("weights are missing; fetch them")

    monkeypatch.setattr(collection.bundle, "frontend", no_weights)
    client = await connect()
    ready = await client.get("/readyz")
    assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
    assert any("weights are missing" in reason for reason in ready.json()["reasons"])
    assert (await client.post("/search/audio2visual", json=QUERY)).status_code == 200
    reply = await client.post("/search/audio2visual", files={"file": ("a", clips["sound"])})
    assert (reply.status_code, reply.json()["code"]) == (503, "encoder-failing")


async def test_five_failures_of_the_encoder_make_it_not_ready(
    connect: Any, collection: Any, clips: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await connect()
    monkeypatch.setattr("service.watching.readiness.WINDOW_S", 3600.0)

    def broken(self: OnnxEncoder, features: Any) -> Any:
        return np.full((len(features), self.dim), np.nan, dtype=np.float32)

    monkeypatch.setattr(OnnxEncoder, "forward", broken)
    for _ in range(5):
        assert (await client.get("/readyz")).status_code == 200
        reply = await client.post(
            "/search/audio2visual", files={"file": ("a", clips["sound"])}
        )
        assert (reply.status_code, reply.json()["code"]) == (503, "encoder-failing")
    ready = await client.get("/readyz")
    assert (ready.status_code, ready.json()["code"]) == (503, "not-ready")
    assert "embedding failed 5 times" in ready.json()["detail"]
    assert (await client.post("/search/audio2visual", json=QUERY)).status_code == 200


async def test_a_bad_clip_is_no_failure_of_the_encoder(client: Any) -> None:
    for _ in range(6):
        reply = await client.post("/search/audio2visual", files={"file": ("a", b"x" * 100)})
        assert reply.status_code in (415, 422)
    assert (await client.get("/readyz")).status_code == 200


async def test_an_unforeseen_error_is_500_without_a_word_of_it(
    connect: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    client = await connect()
    monkeypatch.setattr(
        "service.searching.gathering.search",
        lambda *_: [][1],  # an IndexError like any other
    )
    reply = await client.post("/search/audio2visual", json=QUERY)
    assert (reply.status_code, reply.json()["code"]) == (500, "internal")
    assert "IndexError" not in reply.text
    record = next(r for r in caplog.records if r.message == "failed")
    assert record.fields["request_id"] == reply.json()["request_id"]


async def test_a_decoder_without_places_is_busy_not_broken(
    connect: Any, collection: Any, clips: Any
) -> None:
    closed = Decoder(workers=1)
    closed.close()
    client = await connect()
    client._transport.app.state.runtime.decoder = closed
    reply = await client.post("/search/audio2visual", files={"file": ("a", clips["sound"])})
    assert (reply.status_code, reply.json()["code"]) == (429, "busy")


def test_failures_count_for_half_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("service.watching.readiness.time.monotonic", lambda: now[0])
    readiness = Readiness()
    readiness.opened = True
    for _ in range(5):
        now[0] += 7.4
        readiness.encoder_failed()
    assert readiness.status is Status.NOT_READY
    now[0] += 0.5
    assert readiness.status is Status.READY
