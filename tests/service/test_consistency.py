"""One writes, others search: each answer is that of the items up to its ``view_seq``.

``EARSHOT_CONSISTENCY_S`` sets how long.
"""

from __future__ import annotations

import bisect
import os
import random
import threading
import time
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import numpy as np
import pytest

from crossmodal.embeddings import Embeddings
from crossmodal.modality import Modality
from index.collection import Collection
from tests.service.kills.clients import DIM, MODALITIES, body_of, vectors_of
from tests.service.kills.process import Service

SECONDS = float(os.environ.get("EARSHOT_CONSISTENCY_S", "8"))
SEARCHERS, IDS = 4, 60
LEAST = 25  # writes, and searches of each searcher
BOUND_S = 240.0  # for what hangs
OTHER = {"audio": "visual", "visual": "audio"}

State = Mapping[str, int]  # the version of each item that was written


class Seen(NamedTuple):
    """One search: what was asked and what came back, from which view."""

    modality: str
    query: Embeddings
    k: int
    view_seq: int
    header_seq: int
    hits: list[tuple[str, float, int | None]]


class Writer(threading.Thread):
    """Writes one request after the other and notes the state after each."""

    def __init__(self, url: str, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self._url = url
        self._ended = stop
        self.states: list[tuple[int, State]] = []
        self.wrong: list[str] = []

    def run(self) -> None:
        rng = random.Random(0)
        state: dict[str, int] = {}
        with (
            httpx.Client(base_url=self._url, timeout=BOUND_S) as http,
            httpx.Client(base_url=self._url, timeout=BOUND_S) as another,
        ):
            while not self._ended.is_set():
                ids = [f"w{n}" for n in rng.sample(range(IDS), rng.randint(1, 5))]
                if rng.random() < 0.35:
                    reply = http.post("/items/delete", json={"ids": ids})
                    state = {i: v for i, v in state.items() if i not in ids}
                else:
                    # some items are equal but for their id: ties
                    version = rng.randrange(1, 10**6)
                    items = [{"id": i, **body(version)} for i in ids]
                    reply = http.post("/items", json={"items": items, "replace": True})
                    state = {**state, **dict.fromkeys(ids, version)}
                if reply.status_code != 200:
                    self.wrong.append(reply.text)
                    return
                self.states.append((reply.json()["view_seq"], state))
                # what was acknowledged is found, on any connection
                self.wrong += self._look(another, state, ids)

    def _look(self, http: httpx.Client, state: State, ids: list[str]) -> list[str]:
        reply = http.get(f"/items/{ids[0]}")
        there = reply.status_code == 200
        if there != (ids[0] in state):
            return [f"{ids[0]} is {'' if there else 'not '}there after the answer"]
        if int(reply.headers.get("x-view-seq", 10**9)) < self.states[-1][0]:
            return ["a view is older than what was acknowledged"]
        return []


def body(version: int) -> dict[str, Any]:
    return body_of("shared", version)


class Searcher(threading.Thread):
    """Searches on one connection."""

    def __init__(self, number: int, url: str, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self._url = url
        self._ended = stop
        self._rng = np.random.default_rng(number)
        self.seen: list[Seen] = []
        self.wrong: list[str] = []

    def run(self) -> None:
        with httpx.Client(base_url=self._url, timeout=BOUND_S) as http:
            while not self._ended.is_set():
                modality = MODALITIES[int(self._rng.integers(2))]
                query = self._rng.standard_normal(DIM)
                query /= np.linalg.norm(query)
                k = int(self._rng.integers(1, 100))
                reply = http.post(
                    f"/search/{OTHER[modality]}2{modality}",
                    json={"vector": query.tolist(), "k": k},
                )
                if reply.status_code != 200:
                    self.wrong.append(reply.text)
                    return
                told = reply.json()
                hits = [
                    (hit["id"], hit["score"], hit["metadata"].get("version"))
                    for hit in told["results"]
                ]
                seq = told["index"]["view_seq"]
                header = int(reply.headers["x-view-seq"])
                self.seen.append(Seen(modality, query, k, seq, header, hits))


@cache  # a long run asks for each some thousand times
def rows_of(version: int, modality: str) -> np.ndarray:
    return vectors_of("shared", version, modality).astype(np.float64)


def expected(
    base: Mapping[str, Embeddings], state: State, seen: Seen
) -> list[tuple[str, float, int | None]]:
    """Brute force in float64 over exactly the items of a state."""
    found = []
    query = seen.query.astype(np.float32).astype(np.float64)
    for item_id, rows in base.items():
        found.append((item_id, float((rows.astype(np.float64) @ query).max()), None))
    for item_id, version in state.items():
        rows = rows_of(version, seen.modality)
        found.append((item_id, float((rows @ query).max()), version))
    found.sort(key=lambda hit: (-round(hit[1], 9), hit[0]))
    return found[: seen.k]


def judge(
    base: Mapping[str, Mapping[str, Embeddings]],
    states: list[tuple[int, State]],
    seen: list[Seen],
) -> Iterator[str]:
    """Yield what is wrong with what one searcher saw."""
    seqs = [seq for seq, _ in states]
    newest = 0
    for one in seen:
        if one.view_seq < newest or one.header_seq < one.view_seq:
            yield f"a view of {one.view_seq} after one of {newest}"
        newest = max(newest, one.header_seq)
        state = states[bisect.bisect_right(seqs, one.view_seq) - 1][1]
        wanted = expected(base[one.modality], state, one)
        if [(i, v) for i, _, v in one.hits] != [(i, v) for i, _, v in wanted]:
            yield f"other hits than brute force over the items up to {one.view_seq}"
        elif not np.allclose([h[1] for h in one.hits], [w[1] for w in wanted], atol=1e-5):
            yield "other scores than brute force"


def stored_vectors(data: Path) -> dict[str, dict[str, Embeddings]]:
    """Return what a data directory holds, by modality and id."""
    with Collection.open(data) as collection:
        view = collection.view
        return {
            modality: {
                item.id: view.vectors(item.id, Modality(modality))
                for item in view.items.values()
                if modality in item.modalities
            }
            for modality in MODALITIES
        }


def trial(data: Path, seconds: float, mutant: str = "") -> tuple[list[str], int, int]:
    """Write and search for a while; return what was wrong, and the numbers of both."""
    base = stored_vectors(data)
    service = Service(data, mutant=mutant, COMPACTION_TAIL=30)
    try:
        first = httpx.get(f"{service.url}/collection", timeout=BOUND_S).json()["view_seq"]
        stop = threading.Event()
        writer = Writer(service.url, stop)
        searchers = [Searcher(n, service.url, stop) for n in range(SEARCHERS)]
        threads = (writer, *searchers)
        for thread in threads:
            thread.start()
        began = time.monotonic()
        while all(thread.is_alive() for thread in threads):
            went_on_s = time.monotonic() - began
            fewest = min(len(writer.states), *(len(one.seen) for one in searchers))
            if went_on_s > (seconds if fewest >= LEAST else seconds + BOUND_S):
                break
            time.sleep(0.05)
        stop.set()
        for thread in threads:
            thread.join(BOUND_S)
            assert not thread.is_alive()
    finally:
        service.kill()
    states: list[tuple[int, State]] = [(first, {}), *writer.states]
    wrong = [*writer.wrong]
    for searcher in searchers:
        wrong += [*searcher.wrong, *judge(base, states, searcher.seen)]
    return wrong, len(writer.states), sum(len(s.seen) for s in searchers)


@pytest.mark.slow
def test_every_search_is_answered_from_exactly_what_was_written_up_to_its_view(
    copied: Path,
) -> None:
    wrong, writes, searches = trial(copied, SECONDS)
    assert wrong == []
    assert writes >= LEAST
    assert searches >= SEARCHERS * LEAST
    print(f"{writes} writes, {searches} searches")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mutant", "said"),
    [
        ("views lack a write", "other hits than brute force"),
        ("answer before commit", "there after the answer"),
    ],
)
def test_a_service_that_answers_from_something_else_is_found_out(
    copied: Path, mutant: str, said: str
) -> None:
    wrong, _, _ = trial(copied, 1, mutant)
    assert any(said in text for text in wrong), wrong[:3]
