"""A process that writes until it is killed, and says what it was told.

Four clients each own a few ids, so the order of what happens to one id is known. A client
writes a line of JSON before each submission and another when it is acknowledged; a line
that was written survives the process, since the kernel has it.

What an item is follows from its id and version: vectors, metadata and media.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np

from crossmodal.embeddings import Embeddings, normalize
from crossmodal.items import Segment
from crossmodal.modality import Modality
from index.collection import Collection
from index.storage.new_items import NewItem, NewVector
from index.writing.compaction import CompactionPolicy
from index.writing.operations import Delete, Idempotency, Operation, Put, Receipt

CLIENTS, IDS_PER_CLIENT, DIM = 4, 10, 8
MODALITIES = (Modality.AUDIO, Modality.VISUAL)
POLICY = CompactionPolicy(tail=30, deleted=0.1)
MOST_OPERATIONS = 400

# version of an item, None while it is not stored
Version = int | None


def vectors_of(item_id: str, version: int, modality: Modality) -> Embeddings:
    """Return the one or two vectors of a version."""
    seed = [*item_id.encode(), version, *modality.encode()]
    rows = np.random.default_rng(seed).standard_normal((1 + version % 2, DIM))
    return normalize(rows)


def media_of(item_id: str, version: int) -> bytes | None:
    """Return a version's media, which two ids share; every third has none."""
    if version % 3 == 0:
        return None
    return b"RIFF0000WAVE" + f"{item_id[:1]} {version}".encode()


def operation_of(item_id: str, version: Version, folder: Path) -> Operation:
    """Return what brings an item to a version."""
    if version is None:
        return Delete(ids=[item_id])
    content = media_of(item_id, version)
    media = None
    if content is not None:
        media = folder / hashlib.sha256(content).hexdigest()
        media.write_bytes(content)
    vectors = [
        NewVector(m, row, Segment(float(number)))
        for m in MODALITIES
        for number, row in enumerate(vectors_of(item_id, version, m))
    ]
    item = NewItem(id=item_id, vectors=vectors, metadata={"version": version})
    return Put(item=item, media=media)


def run(
    data: Path,
    log: Path,
    *,
    seed: int,
    pending: Mapping[str, Mapping[str, Any]],
    reached: Callable[[str], None],
) -> None:
    """Open the collection and write until the end.

    Args:
        data: The data directory.
        log: Takes the lines.
        seed: Draws the operations.
        pending: Per client the submission it does not know the end of; it comes again.
        reached: What to do at named points.
    """
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    folder = log.parent / "media"
    folder.mkdir(exist_ok=True)

    def say(**line: Any) -> None:
        os.write(handle, json.dumps(line).encode() + b"\n")

    collection = Collection.open(
        data, write=True, reserve_bytes=0, policy=POLICY, reached=reached
    )
    say(event="opened")

    def client(number: int) -> None:
        rng = random.Random(f"{seed} {number}")
        again = pending.get(str(number))
        for count in range(MOST_OPERATIONS):
            if count == 0 and again is not None:
                item_id, version, key = again["id"], again["version"], again["key"]
            else:
                item_id = f"{number}-{rng.randrange(IDS_PER_CLIENT)}"
                version = None if rng.random() < 0.35 else rng.randrange(1, 1_000_000)
                key = f"{seed}-{number}-{count}"
            submission = {"client": number, "id": item_id, "version": version, "key": key}
            say(event="sent", **submission)
            done = collection.submit(
                operation_of(item_id, version, folder),
                idempotency=Idempotency(
                    key=key, request_sha256=hashlib.sha256(key.encode()).hexdigest()
                ),
            )
            told = threading.Event()

            def tell(
                future: Future[Receipt],
                submission: Mapping[str, Any] = submission,
                told: threading.Event = told,
            ) -> None:
                receipt = future.result()
                say(
                    event="acknowledged",
                    seq=receipt.seq,
                    status=receipt.results[0].status,
                    replayed=receipt.replayed,
                    **submission,
                )
                told.set()

            # on the writer's thread, before it goes on: no acknowledgment is unseen
            done.add_done_callback(tell)
            told.wait()

    threads = [threading.Thread(target=client, args=(n,)) for n in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    collection.close()
    say(event="ended")


class KillAt:
    """Kills its own process when a point is reached for the n-th time."""

    def __init__(self, point: str, times: int) -> None:
        self._point = point
        self._left = times
        self._lock = threading.Lock()

    def __call__(self, point: str) -> None:
        if point != self._point:
            return
        with self._lock:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
                threading.Event().wait()  # until it has arrived


def watch_files(reached: Callable[[str], None]) -> None:
    """Add points around files: opened for writing, synced, renamed."""
    path_open, path_replace, fsync = Path.open, Path.replace, os.fsync

    def opened(self: Path, mode: str = "r", *more: Any, **known: Any) -> Any:
        file = path_open(self, mode, *more, **known)
        if mode == "wb" and self.parent.name == "index":
            reached(f"{self.name.split('-')[0].split('.')[0]} opened")
        return file

    def replaced(self: Path, target: Path) -> Path:
        found = path_replace(self, target)
        reached("renamed")
        return found

    def synced(handle: int) -> None:
        fsync(handle)
        reached("synced")

    Path.open, Path.replace, os.fsync = opened, replaced, synced  # type: ignore[assignment]
