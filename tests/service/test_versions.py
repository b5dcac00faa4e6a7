"""Versions over HTTP: built beside, told, and passed to while requests are under way."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from crossmodal.bundle import Bundle
from index.collection import Collection
from index.versions.laying import lay_beside
from index.versions.reembedding import Reembedding
from service.openapi import schemas
from service.routes import search as routes
from tests.service.clips import wav_clip
from tests.service.second_bundle import second_bundle

pytestmark = pytest.mark.anyio
CLIPS = {f"clip{number}": wav_clip(seed=number) for number in range(3)}


async def job(client: httpx.AsyncClient, kind: str, **more: Any) -> dict[str, Any]:
    """Begin a job and return it when it has ended."""
    asked = await client.post("/jobs", json={"kind": kind, **more})
    assert asked.status_code == 202, asked.text
    return await ended(client, asked.json()["id"])


async def ended(client: httpx.AsyncClient, job_id: str) -> dict[str, Any]:
    deadline = time.monotonic() + 120
    while True:
        told: dict[str, Any] = (await client.get(f"/jobs/{job_id}")).json()
        if told["state"] in ("done", "failed", "cancelled"):
            return told
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def versions(client: httpx.AsyncClient) -> list[schemas.VersionReply]:
    reply = await client.get("/collection")
    return schemas.CollectionReply.model_validate(reply.json()).versions


async def store_clips(client: httpx.AsyncClient) -> None:
    for item_id, clip in CLIPS.items():
        reply = await client.put(f"/items/{item_id}", files={"file": ("c", clip)})
        assert reply.status_code == 201, reply.text


async def search(client: httpx.AsyncClient, item_id: str) -> dict[str, Any]:
    reply = await client.post(
        "/search/audio2audio",
        files={"file": ("c", CLIPS[item_id])},
        data={"params": '{"k": 100, "with_vector": true}'},
    )
    assert reply.status_code == 200, reply.text
    answer: dict[str, Any] = reply.json()
    return answer


def is_consistent(answer: dict[str, Any], item_id: str) -> bool:
    """Tell whether query and gallery are of one model: a clip is then itself."""
    (hit,) = (hit for hit in answer["results"] if hit["id"] == item_id)
    unmasked = np.array(hit["vector"])[:-1]  # the last dimension is for other modalities
    return bool(abs(hit["score"] - unmasked @ unmasked) < 1e-4)


@pytest.fixture
def other(bundle: Bundle, tmp_path: Path) -> Path:
    return second_bundle(bundle, tmp_path / "other")


async def test_versions_are_told_and_passed_to_and_back(
    connect: Any, writable: Collection, bundle: Bundle, other: Path
) -> None:
    client = await connect(writable)
    await store_clips(client)
    (current,) = await versions(client)
    assert (current.role, current.state, current.items) == ("current", "current", 15)
    assert current.index["audio"].kind == "flat"
    wanted = lay_beside(writable.directory, other).model_id
    first, beside = await versions(client)
    assert first.model_id == bundle.model_id
    assert (beside.role, beside.state, beside.model_id) == ("next", "behind", wanted)
    assert (beside.method, beside.items, beside.lacking) == ("other", 0, 15)
    told = await job(client, "reembed")
    assert (told["state"], told["result"]["embedded"]) == ("done", 3)
    _, beside = await versions(client)
    assert (beside.items, beside.lacking, beside.seq is not None) == (3, 12, True)
    failed = await job(client, "switch")
    assert "12 items cannot be embedded" in failed["error"]
    assert is_consistent(await search(client, "clip1"), "clip1")
    done = await job(client, "switch", partial=True)
    assert (done["state"], done["result"]["left_out"]) == ("done", 12)
    answer = await search(client, "clip1")
    assert is_consistent(answer, "clip1")
    assert answer["index"]["model"] == wanted
    current, before = await versions(client)
    assert (current.model_id, current.lacking) == (wanted, 12)
    assert (before.role, before.state, before.items) == ("previous", "ready", 15)
    assert (await client.get("/readyz")).json()["status"] == "ready"
    await job(client, "switch", partial=True)
    assert (await search(client, "clip2"))["index"]["model"] == bundle.model_id
    (discarded,) = [await job(client, "discard")]
    assert discarded["result"]["vectors"] > 0
    assert len(await versions(client)) == 1


async def test_a_search_under_way_ends_with_the_model_that_it_began_with(
    connect: Any, writable: Collection, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await connect(writable, workers=2)
    await store_clips(client)
    wanted = lay_beside(writable.directory, other).model_id
    answer_search, began, go = routes.answer_search, threading.Event(), threading.Event()

    def held(*given: Any) -> Any:
        if not began.is_set():
            began.set()
            assert go.wait(120)
        return answer_search(*given)

    monkeypatch.setattr(routes, "answer_search", held)  # its view is taken by then
    under_way = asyncio.create_task(search(client, "clip0"))
    while not began.is_set():
        await asyncio.sleep(0.01)
    assert (await job(client, "switch", partial=True))["state"] == "done"
    after = await search(client, "clip0")
    go.set()
    answer = await under_way
    assert answer["index"]["model"] != wanted == after["index"]["model"]
    assert is_consistent(answer, "clip0")
    assert is_consistent(after, "clip0")


async def test_a_clip_embedded_by_the_model_before_is_sent_again(
    connect: Any, writable: Collection, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits in the queue while the model is changed, and must not be stored then."""
    client = await connect(writable)
    await store_clips(client)
    lay_beside(writable.directory, other)
    submit, began, go = Collection.submit, threading.Event(), threading.Event()

    def held(self: Collection, *given: Any, **named: Any) -> Any:
        if not began.is_set():
            began.set()
            assert go.wait(120)
        return submit(self, *given, **named)

    monkeypatch.setattr(Collection, "submit", held)
    clip = {"file": ("c", CLIPS["clip0"])}
    headers = {"idempotency-key": "one"}
    under_way = asyncio.create_task(client.put("/items/n", files=clip, headers=headers))
    while not began.is_set():
        await asyncio.sleep(0.01)
    assert (await job(client, "switch", partial=True))["state"] == "done"
    go.set()
    refused = await under_way
    assert (refused.status_code, refused.json()["code"]) == (503, "not-ready")
    assert "retry-after" in refused.headers
    assert (await client.get("/items/n")).status_code == 404
    again = await client.put("/items/n", files=clip, headers=headers)
    assert again.status_code == 201
    assert is_consistent(await search(client, "clip1"), "clip1")


async def test_a_request_that_was_answered_before_the_change_is_answered_alike_after_it(
    connect: Any, writable: Collection, other: Path
) -> None:
    client = await connect(writable)
    await store_clips(client)
    lay_beside(writable.directory, other)
    clip, headers = {"file": ("c", CLIPS["clip0"])}, {"idempotency-key": "one"}
    first = await client.put("/items/n", files=clip, headers=headers)
    assert (await job(client, "switch", partial=True))["state"] == "done"
    again = await client.put("/items/n", files=clip, headers=headers)
    assert (again.status_code, again.json()["view_seq"]) == (201, first.json()["view_seq"])
    assert again.headers["idempotent-replayed"] == "true"


async def test_what_runs_is_told_with_its_progress_and_can_be_cancelled(
    connect: Any, writable: Collection, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await connect(writable)
    await store_clips(client)
    lay_beside(writable.directory, other)
    attach, began, go = Reembedding._attach, threading.Event(), threading.Event()

    def held(*given: Any) -> int:
        written = attach(*given)
        began.set()
        return written

    catch_up = Reembedding.catch_up

    def hold(self: Reembedding, note: Any, check: Any) -> Any:
        found = catch_up(self, note, check)
        assert go.wait(120)
        check()
        return found

    monkeypatch.setattr(Reembedding, "_attach", held)
    monkeypatch.setattr(Reembedding, "catch_up", hold)
    asked = (await client.post("/jobs", json={"kind": "reembed"})).json()
    while not began.is_set():
        await asyncio.sleep(0.01)
    _, beside = await versions(client)
    assert (beside.state, beside.job) == ("building", asked["id"])
    assert beside.progress is not None
    assert beside.progress.total == 15
    reply = await client.delete(f"/jobs/{asked['id']}")
    assert reply.json()["state"] == "cancelling"
    go.set()
    assert (await ended(client, asked["id"]))["state"] == "cancelled"
    assert len(await versions(client)) == 1
    assert not (writable.directory / "beside").exists()


@pytest.mark.parametrize(
    "body",
    [{"kind": "compact", "partial": True}, {"kind": "add"}, {"kind": "switch", "x": 1}],
)
async def test_no_other_parameters_are_taken(
    connect: Any, writable: Collection, body: Any
) -> None:
    client = await connect(writable)
    reply = await client.post("/jobs", json=body)
    assert (reply.status_code, reply.json()["code"]) == (422, "invalid-field")
