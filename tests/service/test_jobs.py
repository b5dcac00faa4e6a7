"""Jobs over HTTP: asked for, watched, and told to those who may."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from index.collection import Collection
from index.jobs.queue import Work
from index.jobs.task import Task
from service.openapi import schemas

pytestmark = pytest.mark.anyio


async def test_a_job_is_begun_and_watched_to_its_end(
    connect: Any, writable: Collection
) -> None:
    client = await connect(writable)
    body = {"items": [{"id": "new", "vectors": {"audio": [1.0] * 8}}]}
    seq = (await client.post("/items", json=body)).json()["view_seq"]
    reply = await client.post("/jobs", json={"kind": "compact"})
    assert reply.status_code == 202
    job = schemas.JobWithIdReply.model_validate(reply.json())
    assert reply.headers["location"] == f"/jobs/{job.id}"
    deadline = time.monotonic() + 60
    while job.state in ("queued", "running"):
        assert time.monotonic() < deadline
        told = (await client.get(f"/jobs/{job.id}")).json()
        job = schemas.JobWithIdReply.model_validate(told)
    assert (job.state, job.error) == ("done", None)
    assert job.result == {"seq": seq, "vectors": {"audio": 14, "visual": 12}}
    listed = schemas.JobsReply.model_validate((await client.get("/jobs")).json())
    assert [one.id for one in listed.jobs] == [job.id]


@pytest.mark.parametrize("body", [{}, {"kind": "magic"}, {"kind": "compact", "x": 1}])
async def test_other_work_is_refused(connect: Any, writable: Collection, body: Any) -> None:
    client = await connect(writable)
    reply = await client.post("/jobs", json=body)
    assert (reply.status_code, reply.json()["code"]) == (422, "invalid-field")
    missing = await client.get("/jobs/absent")
    assert (missing.status_code, missing.json()["code"]) == (404, "not-found")


async def test_a_service_that_only_reads_has_no_jobs(
    connect: Any, collection: Collection
) -> None:
    client = await connect(collection)
    assert (await client.get("/jobs")).json()["jobs"] == []
    assert (await client.get("/jobs/x")).status_code == 404
    assert (await client.post("/jobs", json={"kind": "compact"})).status_code == 403
    assert (await client.delete("/jobs/x")).status_code == 403


async def test_a_job_that_waits_is_cancelled(connect: Any, writable: Collection) -> None:
    client = await connect(writable)
    jobs = client._transport.app.state.runtime.jobs
    begun, go = threading.Event(), threading.Event()

    def wait(task: Task) -> dict[str, Any]:
        begun.set()
        assert go.wait(60)
        return {}

    jobs._kinds["hold"] = Work(do=wait)
    jobs.start("hold")
    assert begun.wait(60)
    try:
        asked = (await client.post("/jobs", json={"kind": "compact"})).json()
        reply = await client.delete(f"/jobs/{asked['id']}")
        told = schemas.JobWithIdReply.model_validate(reply.json())
        assert (reply.status_code, told.state) == (200, "cancelled")
    finally:
        go.set()
    assert (await client.delete("/jobs/absent")).status_code == 404
