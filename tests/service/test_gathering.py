"""Gathering: searched together or alone, the hits are the same, and no one is left out."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import httpx
import numpy as np
import pytest

from crossmodal.embeddings import normalize
from crossmodal.modality import parse_direction
from index.collection import Collection
from service.problems import ProblemError
from service.searching import gathering
from service.searching.gathering import MOST, Gathering, run_together
from service.searching.parameters import SearchParameters
from service.searching.queries import Query
from service.searching.ranking import Search, search

pytestmark = pytest.mark.anyio
WAIT_S = 60


def asked(
    collection: Collection, seed: int, direction: str = "audio2visual", **given: Any
) -> Search:
    parsed = parse_direction(direction)
    item_id = given.pop("item_id", None)
    view = collection.view
    vectors = normalize(np.random.default_rng(seed).normal(size=(1, view.dim)))
    if item_id is not None:
        vectors = view.vectors(item_id, parsed.query)
    return Search(
        view=view,
        direction=parsed,
        query=Query(
            modality=parsed.query, source="vector", vectors=vectors, item_id=item_id
        ),
        parameters=SearchParameters(**given),
        same_modality_mask=collection.bundle.manifest.same_modality_mask,
        confidence=collection.bundle.manifest.confidence.get(parsed),
    )


def mixture(collection: Collection) -> list[Search]:
    return [
        *(asked(collection, seed) for seed in range(6)),
        *(asked(collection, seed, "audio2audio") for seed in range(6)),
        *(asked(collection, seed, "visual2audio", k=3, offset=2) for seed in range(4)),
        *(asked(collection, seed, k=3, group_by="segment") for seed in range(4)),
        asked(collection, 20, score_threshold=0.1),
        asked(collection, 21, min_confidence=0.3),
        asked(collection, 22, exclude=["i03", "i04"]),
        asked(collection, 23, exact=True),
        asked(collection, 24, filter={"must": [{"field": "year", "gte": 2004}]}),
        asked(collection, 25, "audio2audio", item_id="i02"),
        asked(collection, 26, "audio2visual", item_id="i02"),
    ]


def test_what_is_searched_together_finds_what_it_finds_alone(
    collection: Collection,
) -> None:
    searches = mixture(collection)
    together = run_together(searches)
    for one, found in zip(searches, together, strict=True):
        assert not isinstance(found, Exception)
        assert found.hits == search(one)
        assert found.hits


def test_only_searches_that_differ_in_their_query_alone_are_alike(
    collection: Collection,
) -> None:
    kinds = [one.kind for one in mixture(collection)]
    assert [kinds.count(kind) for kind in dict.fromkeys(kinds[:20])] == [8, 6, 4, 4]
    assert kinds[22:] == [None] * 5


def test_queries_swapped_within_a_group_would_be_seen(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant: hits go to another search of the group."""
    alike = gathering.search_alike
    monkeypatch.setattr(gathering, "search_alike", lambda ones: alike(ones)[::-1])
    searches = [asked(collection, seed) for seed in range(6)]
    found = run_together(searches)
    assert [one.hits for one in found] != [search(one) for one in searches]  # type: ignore[union-attr]


def test_one_that_cannot_be_answered_takes_no_other_with_it(collection: Collection) -> None:
    sure = asked(collection, 1, "visual2audio", min_confidence=0.3)
    plain = [asked(collection, seed, "visual2audio") for seed in (2, 3)]
    assert sure.kind == plain[0].kind
    first, second, third = run_together([plain[0], sure, plain[1]])
    assert isinstance(second, ProblemError)
    for one, found in zip(plain, (first, third), strict=True):
        assert not isinstance(found, Exception)
        assert found.hits == search(one)


@pytest.fixture
async def gathered() -> AsyncIterator[Gathering]:
    made = Gathering(threads=1)
    yield made
    made.close()


class Held:
    """Holds the thread inside its first run until it is released; notes what ran."""

    def __init__(self) -> None:
        self.entered, self.release = threading.Event(), threading.Event()
        self.sizes: list[int] = []

    def __call__(self, searches: Any) -> Any:
        self.sizes.append(len(searches))
        self.entered.set()
        assert self.release.wait(WAIT_S)
        return run_together(searches)


async def hold(
    gathered: Gathering, collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> tuple[Held, asyncio.Task[Any]]:
    """Let one search stand in the thread."""
    held = Held()
    monkeypatch.setattr(gathering, "run_together", held)
    first = asyncio.create_task(gathered.hits(asked(collection, 0)))
    assert await asyncio.to_thread(held.entered.wait, WAIT_S)
    return held, first


async def test_what_comes_while_one_runs_is_run_together(
    gathered: Gathering, collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, first = await hold(gathered, collection, monkeypatch)
    searches = [asked(collection, seed) for seed in range(1, 2 * MOST + 2)]
    waiting = []
    for one in searches:
        waiting.append(asyncio.create_task(gathered.hits(one)))
        for _ in range(3):  # long enough to be handed on alone, if it were not to wait
            await asyncio.sleep(0)
    held.release.set()
    found = await asyncio.wait_for(asyncio.gather(first, *waiting), WAIT_S)
    assert held.sizes == [1, MOST, MOST, 1]
    for one, answer in zip([asked(collection, 0), *searches], found, strict=True):
        assert answer.hits == search(one)
    again = await asyncio.wait_for(gathered.hits(searches[0]), WAIT_S)
    assert again.hits == search(searches[0])


async def test_as_many_groups_run_at_once_as_there_are_threads(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    gathered = Gathering(threads=2)
    met = threading.Barrier(3)  # two groups and this test: none passes before all are there
    sizes: list[int] = []

    def meet(searches: Any) -> Any:
        sizes.append(len(searches))
        if len(sizes) <= 2:
            met.wait(WAIT_S)  # both run
            met.wait(WAIT_S)  # the others have come
        return run_together(searches)

    monkeypatch.setattr(gathering, "run_together", meet)
    searches = [asked(collection, seed) for seed in range(2 * MOST + 3)]
    tasks = [asyncio.create_task(gathered.hits(searches[0]))]
    for _ in range(3):  # the first group is on its way before the second search comes
        await asyncio.sleep(0)
    tasks.append(asyncio.create_task(gathered.hits(searches[1])))
    await asyncio.to_thread(met.wait, WAIT_S)
    tasks += [asyncio.create_task(gathered.hits(one)) for one in searches[2:]]
    await asyncio.sleep(0)
    await asyncio.to_thread(met.wait, WAIT_S)
    found = await asyncio.wait_for(asyncio.gather(*tasks), WAIT_S)
    assert sorted(sizes) == [1, 1, 1, MOST, MOST]
    for one, answer in zip(searches, found, strict=True):
        assert answer.hits == search(one)
    gathered.close()


async def test_who_leaves_keeps_no_one_from_an_answer(
    gathered: Gathering, collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, first = await hold(gathered, collection, monkeypatch)
    searches = [asked(collection, seed) for seed in (1, 2, 3)]
    waiting = [asyncio.create_task(gathered.hits(one)) for one in searches]
    await asyncio.sleep(0)
    first.cancel()
    waiting[1].cancel()
    held.release.set()
    for number in (0, 2):
        answer = await asyncio.wait_for(waiting[number], WAIT_S)
        assert answer.hits == search(searches[number])
    for task in (first, waiting[1]):
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_closing_cancels_what_waits_and_what_comes(
    gathered: Gathering, collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, first = await hold(gathered, collection, monkeypatch)
    waiting = asyncio.create_task(gathered.hits(asked(collection, 1)))
    await asyncio.sleep(0)
    gathered.close()
    late = asyncio.create_task(gathered.hits(asked(collection, 2)))
    held.release.set()
    assert (await asyncio.wait_for(first, WAIT_S)).hits == search(asked(collection, 0))
    for task in (waiting, late):
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, WAIT_S)


async def test_concurrent_requests_are_answered_as_single_ones(
    client: httpx.AsyncClient, collection: Collection
) -> None:
    vectors = [asked(collection, seed).query.vectors[0].tolist() for seed in range(24)]

    async def results(vector: list[float], k: int) -> Any:
        body = {"vector": vector, "k": k}
        return (await client.post("/search/audio2visual", json=body)).json()["results"]

    pairs = [(vector, 3 + number % 2) for number, vector in enumerate(vectors)]
    together = await asyncio.gather(*(results(*pair) for pair in pairs))
    assert together == [await results(*pair) for pair in pairs]
