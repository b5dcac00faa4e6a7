"""Clients that go away in the middle of sending or reading leave nothing behind.

``EARSHOT_DISCONNECTS`` sets how many of each.
"""

from __future__ import annotations

import json
import os
import random
import socket
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.service.clips import wav_clip
from tests.service.kills.clients import body_of
from tests.service.kills.process import Service

COUNT = int(os.environ.get("EARSHOT_DISCONNECTS", "50"))
SETTLE_S = 120.0


@pytest.fixture
def service(copied: Path) -> Iterator[Service]:
    started = Service(copied, WORKERS=2)
    yield started
    started.kill()


def requests() -> list[bytes]:
    """A request of each kind that writes, whole, as bytes."""
    clip, boundary = wav_clip(seconds=2), "b0undary"
    form = b"".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode()
        + content
        + b"\r\n"
        for name, content in (("file", clip), ("params", b'{"id": "gone"}'))
    )
    form += f"--{boundary}--\r\n".encode()
    items = {"items": [{"id": f"gone{n}", **body_of(f"x{n}", n + 1)} for n in range(50)]}
    bodies = {
        "POST /items": ("application/json", json.dumps(items).encode()),
        "PUT /items/gone": (f"multipart/form-data; boundary={boundary}", form),
        "POST /items/delete": ("application/json", b'{"ids": ["gone", "gone1"]}'),
    }
    return [
        f"{line} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n".encode()
        + body
        for line, (kind, body) in bodies.items()
    ]


def of_one_view(http: httpx.Client, ids: Iterable[str]) -> set[str]:
    """Return which items are there, all seen in one view: nothing was written meanwhile."""
    deadline = time.monotonic() + SETTLE_S
    while True:
        seq = http.get("/collection").json()["view_seq"]
        there = {i for i in ids if http.get(f"/items/{i}").status_code == 200}
        if http.get("/collection").json()["view_seq"] == seq:
            return there
        assert time.monotonic() < deadline


def test_nothing_is_left_of_those_who_went_away(service: Service, copied: Path) -> None:
    whole = requests()
    with httpx.Client(base_url=service.url, timeout=120) as http:
        # the decoder's process and the pools are there from now on
        assert http.put("/items/a", files={"file": ("a", wav_clip())}).status_code == 201
        before = http.get("/collection").json()
        handles, processes = service.handles(), len(service.processes())
        rng = random.Random(0)
        for number in range(COUNT):
            sent = whole[number % len(whole)]
            with socket.create_connection(("127.0.0.1", service.port)) as connection:
                connection.sendall(sent[: rng.randrange(20, len(sent) - 1)])
        half = http.get("/collection").json()
        assert half["view_seq"] == before["view_seq"]  # no half request was done
        for number in range(COUNT):  # and these go away before they are answered
            with socket.create_connection(("127.0.0.1", service.port)) as connection:
                connection.sendall(whole[number % len(whole)])
        deadline = time.monotonic() + SETTLE_S
        while True:
            health = http.get("/healthz").json()
            taken = sum(queue["taken"] for queue in health["queues"].values())
            left = (
                taken,
                max(0, service.handles() - handles - 5),
                max(0, len(service.processes()) - processes),
                len(list((copied / "staging").iterdir())),
            )
            if not any(left) or time.monotonic() > deadline:
                break
            time.sleep(0.1)
        assert left == (0, 0, 0, 0)
        # what was whole may have been done, but then wholly
        ids = {f"gone{n}" for n in range(50)}
        there = of_one_view(http, ids)
        assert there in (set(), ids, ids - {"gone1"})
        assert http.put("/items/b", files={"file": ("a", wav_clip())}).status_code == 201
