"""Clients that write until the service is gone, and remember exactly what they were told.

Each client owns some ids, so that the order of what happens to one id is known. What an
item is follows from its id and version: vectors, metadata, and media if it has any.
"""

from __future__ import annotations

import io
import random
import threading
import time
import wave
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import numpy as np

from crossmodal.embeddings import Embeddings, normalize

CLIENTS, IDS_PER_CLIENT, DIM = 4, 10, 8
MODALITIES = ("audio", "visual")
CLIP_CLIENT = 0  # uploads clips now and then, so that children are at work
CLIPS_EVERY = 5

# version of an item, None while it is not stored
Version = int | None


def vectors_of(item_id: str, version: int, modality: str) -> Embeddings:
    """Return the one or two vectors of a version, as they are stored."""
    seed = [*item_id.encode(), version, *modality.encode()]
    rows = np.random.default_rng(seed).standard_normal((1 + version % 2, DIM))
    return normalize(rows)


def is_clip(item_id: str, version: int) -> bool:
    """Tell whether a version is a clip, with media in place of vectors."""
    return item_id.startswith(f"{CLIP_CLIENT}-") and version % CLIPS_EVERY == 0


def clip_of(item_id: str, version: int) -> bytes:
    """Return a version's media: half a second of noise."""
    rng = np.random.default_rng([*item_id.encode(), version])
    file = io.BytesIO()
    with wave.open(file, "wb") as written:
        written.setnchannels(1)
        written.setsampwidth(2)
        written.setframerate(8000)
        written.writeframes(rng.integers(-9000, 9000, 4000).astype("<i2").tobytes())
    return file.getvalue()


@dataclass(frozen=True)
class Step:
    """One request: the versions that it brings ids to, under its key.

    ``model`` is what the client says has made its vectors, if it says so.
    """

    key: str
    versions: dict[str, Version]
    model: str | None = None


@dataclass
class History:
    """What the service may hold: of each id the versions that are possible."""

    possible: dict[str, set[Version]] = field(default_factory=dict)
    pending: dict[int, Step] = field(default_factory=dict)
    # whether what a pending request asks for is there; None where that tells nothing
    visible: dict[str, bool | None] = field(default_factory=dict)
    # what made the vectors of an id's version, where it was said
    made_by: dict[tuple[str, int], str] = field(default_factory=dict)
    last_seq: int = 0
    acknowledged: int = 0
    wrong: list[str] = field(default_factory=list)

    def sent(self, client: int, step: Step) -> None:
        """Take note that a request goes out: from now on either state is possible."""
        self.pending[client] = step
        for item_id, version in step.versions.items():
            self.possible.setdefault(item_id, {None}).add(version)
            if step.model is not None and version is not None:
                self.made_by[item_id, version] = step.model

    def refused(self, client: int, step: Step) -> None:
        """Take note that a request is not done, if it was not before it came again."""
        self.visible.pop(step.key, None)
        for item_id, version in step.versions.items():
            self.possible[item_id] = self.possible[item_id] - {version} or {version}
        del self.pending[client]

    def told(self, client: int, step: Step, reply: httpx.Response) -> None:
        """Take note of an acknowledgment: from now on one state is."""
        replayed = "idempotent-replayed" in reply.headers
        if self.visible.pop(step.key, False) not in (None, replayed):
            self.wrong.append(f"{step} was answered as replayed={replayed}")
        for item_id, version in step.versions.items():
            self.possible[item_id] = {version}
        self.last_seq = max(self.last_seq, reply.json().get("view_seq", 0))
        self.acknowledged += 1
        del self.pending[client]

    def settle(self, found: dict[str, Version]) -> None:
        """Take what was found after a restart for what is: it must stay so."""
        for item_id in self.possible:
            self.possible[item_id] = {found.get(item_id)}
        for step in self.pending.values():
            deletes = None in step.versions.values()
            there = all(found.get(i) == v for i, v in step.versions.items())
            self.visible[step.key] = None if deletes else there


class Client(threading.Thread):
    """Sends one request after the other; ends when the service does."""

    def __init__(
        self,
        number: int,
        url: str,
        history: History,
        lock: threading.Lock,
        seed: int,
        *,
        names_model: bool = False,
    ) -> None:
        """Prepare a client that first sends again what it does not know the end of.

        One that names the model says of all vectors that the model served when it asked
        has made them; in place of vectors of the clips' client it sends clips alone.
        """
        super().__init__(daemon=True)
        self._names_model = names_model
        self._model: str | None = None
        self._number = number
        self._url = url
        self._history = history
        self._lock = lock
        self._rng = random.Random(f"{seed} {number}")
        self._seed = seed
        self.statuses: set[int] = set()
        self.stop = threading.Event()

    def run(self) -> None:
        """Write."""
        with self._lock:
            step = self._history.pending.get(self._number)
        count = 0
        with httpx.Client(base_url=self._url, timeout=240) as http:
            while not self.stop.is_set():
                try:
                    if self._names_model and self._model is None:
                        self._model = served_model(http)
                    step = step or self._next(count)
                    with self._lock:  # also of one that was sent before
                        self._history.sent(self._number, step)
                    reply = send(http, step)
                except httpx.TransportError:
                    return
                self.statuses.add(reply.status_code)
                if reply.status_code in (429, 503):
                    time.sleep(0.05)
                    continue  # nobody knows whether it was done: again, under its key
                if reply.status_code == 409 and reply.json()["code"] == "model-mismatch":
                    with self._lock:
                        self._history.refused(self._number, step)
                    step, count, self._model = None, count + 1, None
                    continue
                with self._lock:
                    if reply.status_code not in (200, 201, 404):
                        self._history.wrong.append(f"{step}: {reply.text[:300]}")
                        return
                    self._history.told(self._number, step, reply)
                step, count = None, count + 1

    def _next(self, count: int) -> Step:
        rng = self._rng
        own = [f"{self._number}-{n}" for n in range(IDS_PER_CLIENT)]
        deletes = rng.random() < 0.3
        ids = rng.sample(own, rng.choice((1, 1, 1, 3)))
        versions: dict[str, Version] = {
            item_id: None if deletes else rng.randrange(1, 10**6) for item_id in ids
        }
        if self._names_model and self._number == CLIP_CLIENT:
            versions = {i: v and CLIPS_EVERY * v for i, v in versions.items()}
        clips = [i for i, v in versions.items() if v is not None and is_clip(i, v)]
        if clips:
            versions = {clips[0]: versions[clips[0]]}
        vectors = not deletes and not clips
        model = self._model if vectors else None
        return Step(f"{self._seed}-{self._number}-{count}", versions, model)


def served_model(http: httpx.Client) -> str:
    """Return the id of the model that a service says it serves."""
    return str(http.get("/collection").json()["model"]["id"])


def send(http: httpx.Client, step: Step) -> httpx.Response:
    """Send a request."""
    headers = {"idempotency-key": step.key}
    ids: Sequence[str] = list(step.versions)
    if None in step.versions.values():
        if len(ids) == 1:
            return http.delete(f"/items/{ids[0]}", headers=headers)
        return http.post("/items/delete", json={"ids": ids}, headers=headers)
    if len(ids) > 1 or step.model is not None:
        items = [{"id": i, **body_of(i, v)} for i, v in step.versions.items() if v]
        body = {"items": items, "replace": True, "model": step.model}
        return http.post("/items", json=body, headers=headers)
    ((item_id, version),) = step.versions.items()
    assert version is not None
    if is_clip(item_id, version):
        files = {
            "file": ("clip", clip_of(item_id, version)),
            "params": (None, f'{{"metadata": {{"version": {version}}}}}'),
        }
        return http.put(f"/items/{item_id}", files=files, headers=headers)
    return http.put(f"/items/{item_id}", json=body_of(item_id, version), headers=headers)


def body_of(item_id: str, version: int) -> dict[str, Any]:
    """Return an item's version as JSON."""
    vectors = {
        modality: [
            {"start": number, "end": number + 1, "vector": row.tolist()}
            for number, row in enumerate(vectors_of(item_id, version, modality))
        ]
        for modality in MODALITIES
    }
    return {"vectors": vectors, "metadata": {"version": version}}
