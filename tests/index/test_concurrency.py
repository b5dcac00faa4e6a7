"""One writer and several searchers: every answer is right for the view it came from."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from crossmodal.embeddings import Embeddings, normalize
from crossmodal.modality import Modality
from index.collection import Collection
from index.storage.new_items import NewItem, NewVector
from index.views.view import View
from index.writing.compaction import CompactionPolicy
from index.writing.operations import Delete, Operation, Put, Receipt

AUDIO, VISUAL = Modality.AUDIO, Modality.VISUAL
RUN_S = float(os.environ.get("EARSHOT_CONCURRENT_SECONDS", "4"))
SEARCHERS, IDS, DIM, K, WAIT_S = 4, 120, 8, 10, 120
LEAST_VIEWS = 12
POLICY = CompactionPolicy(tail=40, deleted=0.1)
QUERIES = normalize(np.random.default_rng(3).standard_normal((20, DIM)))


def vector_of(item_id: str, version: int, modality: Modality) -> Embeddings:
    """What an item's vector must be, from what its metadata say."""
    rng = np.random.default_rng([*item_id.encode(), version, *modality.encode()])
    return normalize(rng.standard_normal((1, DIM)))


def put(item_id: str, version: int) -> Put:
    vectors = [NewVector(m, vector_of(item_id, version, m)[0]) for m in (AUDIO, VISUAL)]
    return Put(item=NewItem(id=item_id, vectors=vectors, metadata={"version": version}))


@dataclass
class Writes:
    """What one client wrote: by the number of the write, the id and its version."""

    by_seq: dict[int, tuple[str, int | None]] = field(default_factory=dict)

    def note(self, receipt: Receipt, version: int | None) -> None:
        for item_id, _, seq in receipt.results:
            if seq is not None:
                assert seq not in self.by_seq
                self.by_seq[seq] = (item_id, version)

    def states(self, base: View) -> Iterator[tuple[int, dict[str, Embeddings]]]:
        """Yield every state there was: its number and the vectors of its items."""
        held = {
            item_id: np.concatenate([base.vectors(item_id, m) for m in (AUDIO, VISUAL)])
            for item_id in base.items
        }
        yield base.seq, held
        for seq, (item_id, version) in sorted(self.by_seq.items()):
            held = dict(held)
            held.pop(item_id, None)
            if version is not None:
                held[item_id] = np.concatenate(
                    [vector_of(item_id, version, m) for m in (AUDIO, VISUAL)]
                )
            yield seq, held


def brute_force(
    held: dict[str, Embeddings], modality: Modality, query: np.ndarray
) -> list[tuple[str, float]]:
    row = (AUDIO, VISUAL).index(modality)
    scores = {
        item_id: round(float(vectors[row].astype(np.float64) @ query.astype(np.float64)), 9)
        for item_id, vectors in held.items()
    }
    return sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))[:K]


@dataclass
class Answer:
    """What one search returned, and the number of the view that it was given by."""

    seq: int
    modality: Modality
    query: int
    hits: list[tuple[str, float]]


def search_until(
    stop: threading.Event, collection: Collection, seed: int, answers: list[Answer]
) -> None:
    rng = random.Random(seed)
    latest = 0
    while not stop.is_set():
        view = collection.view
        assert view.seq >= latest, "the view fell back"
        latest = view.seq
        modality, query = rng.choice((AUDIO, VISUAL)), rng.randrange(len(QUERIES))
        (hits,) = view.search(
            modality, QUERIES[query : query + 1], K, exact=rng.random() < 0.2
        )
        for hit in hits:
            assert hit.item_id in view.items, "an unknown id was found"
            item = view.item(hit.item_id)
            version = item.metadata.get("version")
            if version is not None:  # and no half item
                assert item.modalities == (AUDIO, VISUAL)
                for m in (AUDIO, VISUAL):
                    expected = vector_of(hit.item_id, version, m)
                    np.testing.assert_array_equal(view.vectors(hit.item_id, m), expected)
        found = [(hit.item_id, hit.score) for hit in hits]
        answers.append(Answer(view.seq, modality, query, found))


def views(answers: list[list[Answer]]) -> int:
    """How many views were searched in so far."""
    return len({answer.seq for part in answers for answer in list(part)})


def test_every_answer_is_that_of_the_items_up_to_its_view_seq(data: Path) -> None:
    """The strongest oracle: brute force over exactly what was written up to the number."""
    writes, stop, rng = Writes(), threading.Event(), random.Random(1)
    answers: list[list[Answer]] = [[] for _ in range(SEARCHERS)]
    with Collection.open(data, write=True, policy=POLICY) as collection:
        base = collection.view
        ids = [*base.items, *(f"n{n}" for n in range(IDS))]
        with ThreadPoolExecutor(SEARCHERS) as pool:
            searching = [
                pool.submit(search_until, stop, collection, seed, answers[seed])
                for seed in range(SEARCHERS)
            ]
            deadline = time.monotonic() + RUN_S
            version = 0
            try:
                while time.monotonic() < deadline or (
                    views(answers) < LEAST_VIEWS and time.monotonic() < deadline + WAIT_S
                ):
                    version += 1
                    item_id = rng.choice(ids)
                    gone = rng.random() < 0.3
                    operation: Operation = (
                        Delete(ids=[item_id]) if gone else put(item_id, version)
                    )
                    receipt = collection.submit(operation).result(WAIT_S)
                    writes.note(receipt, None if gone else version)
            finally:
                stop.set()
            for search in searching:
                search.result(WAIT_S)
        states = dict(writes.states(base))
        manifest = collection.compact()
    assert manifest.seq > base.seq
    assert views(answers) >= LEAST_VIEWS, "searching and writing did not overlap"
    known: dict[tuple[int, Modality, int], list[tuple[str, float]]] = {}
    for answer in (answer for part in answers for answer in part):
        key = (answer.seq, answer.modality, answer.query)
        if key not in known:
            known[key] = brute_force(
                states[answer.seq], answer.modality, QUERIES[answer.query]
            )
        assert answer.hits == known[key]


def test_what_was_acknowledged_is_found_at_once_and_what_was_deleted_never_again(
    data: Path,
) -> None:
    trials = int(50 * RUN_S)
    with Collection.open(data, write=True, policy=POLICY) as collection:

        def client(name: str) -> None:
            for version in range(1, trials // SEARCHERS):
                item_id = f"{name}{version % 5}"
                expected = vector_of(item_id, version, AUDIO)
                receipt = collection.submit(put(item_id, version)).result(WAIT_S)
                view = collection.view
                assert view.seq >= receipt.seq
                (hits,) = view.search(AUDIO, expected, 1)
                assert [hit.item_id for hit in hits] == [item_id]
                if version % 2:
                    collection.submit(Delete(ids=[item_id])).result(WAIT_S)
                    view = collection.view
                    assert item_id not in view.items
                    (hits,) = view.search(AUDIO, expected, len(view.items) + 5)
                    assert item_id not in {hit.item_id for hit in hits}

        with ThreadPoolExecutor(SEARCHERS) as pool:
            for done in [pool.submit(client, name) for name in "abcd"]:
                done.result(4 * WAIT_S)


@pytest.mark.parametrize("clients", [4])
def test_per_id_histories_are_those_that_the_numbers_tell(data: Path, clients: int) -> None:
    """Clients fight over few ids; what is there in the end is what was numbered last."""
    writes = Writes()
    lock = threading.Lock()
    with Collection.open(data, write=True, policy=POLICY) as collection:

        def client(number: int) -> None:
            rng = random.Random(number)
            for count in range(40):
                item_id, version = f"x{rng.randrange(3)}", 1000 * number + count
                gone = rng.random() < 0.4
                operation: Operation = (
                    Delete(ids=[item_id]) if gone else put(item_id, version)
                )
                before = collection.view.seq
                receipt = collection.submit(operation).result(WAIT_S)
                for _, _, seq in receipt.results:
                    assert seq is None or seq > before
                with lock:
                    writes.note(receipt, None if gone else version)

        base = collection.view
        with ThreadPoolExecutor(clients) as pool:
            for done in [pool.submit(client, number) for number in range(clients)]:
                done.result(4 * WAIT_S)
        *_, (_, held) = writes.states(base)
        assert set(collection.view.items) == set(held)
        for item_id, vectors in held.items():
            np.testing.assert_array_equal(
                collection.view.vectors(item_id, AUDIO), vectors[:1]
            )
