"""Filters: what they admit, and that a filtered search misses none of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crossmodal.embeddings import normalize
from crossmodal.modality import Modality
from index.collection import Collection
from index.storage.new_items import NewItem, NewVector
from index.views.filters import Clause, Filter
from index.views.view import View
from index.writing.operations import Delete, Put

AUDIO = Modality.AUDIO
QUERIES = normalize(np.random.default_rng(4).standard_normal((6, 8)))
SECONDS = 120  # a bound for what hangs, not for what is slow

METADATA = {
    "n": 3,
    "x": 2.5,
    "on": True,
    "name": "blackbird",
    "tags": ["loud", 1],
    "deep": {"er": {"est": "here"}},
    "dotted.key": "whole",
    "none": None,
}
CASES: list[tuple[str, str, Any, bool]] = [
    *[("label", "eq", "owl", True), ("label", "eq", "cat", False)],
    *[("label", "in", ("cat", "owl"), True), ("n", "in", (True, "3"), False)],
    *[("n", "eq", 3, True), ("n", "eq", 3.0, True), ("n", "eq", "3", False)],
    *[("on", "eq", True, True), ("on", "eq", 1, False), ("n", "eq", True, False)],
    *[("n", "gte", 3, True), ("n", "gte", 3.1, False), ("n", "lte", 3, True)],
    *[("x", "gte", 2, True), ("x", "lte", 2, False), ("on", "gte", 0, False)],
    *[("name", "gte", "black", True), ("name", "lte", 5, False), ("n", "gte", "1", False)],
    *[("name", "contains", "bird", True), ("name", "contains", "owl", False)],
    *[("tags", "contains", "loud", True), ("tags", "contains", True, False)],
    *[("tags", "contains", 1, True), ("n", "contains", 3, False)],
    *[("deep.er.est", "eq", "here", True), ("deep.er", "eq", "here", False)],
    *[("dotted.key", "eq", "whole", True), ("missing", "eq", "x", False)],
    *[("n.er", "eq", 3, False), ("none", "eq", "None", False)],
]


@pytest.mark.parametrize(("field", "operator", "operand", "expected"), CASES)
def test_a_clause_holds_as_json_means_it(
    field: str, operator: str, operand: Any, expected: bool
) -> None:
    assert Clause(field, operator, operand).holds("owl", METADATA) is expected


def test_an_item_without_a_label_has_no_label() -> None:
    assert not Clause("label", "eq", "owl").holds(None, {"label": "owl"})


def test_must_all_should_one_must_not_none() -> None:
    yes, no = Clause("n", "eq", 3), Clause("n", "eq", 4)
    for wanted, expected in [
        (Filter(), True),
        (Filter(must=(yes, yes)), True),
        (Filter(must=(yes, no)), False),
        (Filter(should=(no, yes)), True),
        (Filter(should=(no,)), False),
        (Filter(must_not=(no,)), True),
        (Filter(must=(yes,), must_not=(no, yes)), False),
    ]:
        assert wanted.admits(None, METADATA) is expected


@pytest.fixture
def collection(data: Path) -> Iterator[Collection]:
    """Items in base and tail, some of them deleted or replaced, with several segments."""
    rng = np.random.default_rng(5)

    def put(item_id: str, part: int) -> Put:
        vectors = [
            NewVector(AUDIO, rng.standard_normal(8)) for _ in range(rng.integers(1, 4))
        ]
        item = NewItem(id=item_id, vectors=vectors, metadata={"part": part, "one": True})
        return Put(item=item)

    with Collection.open(data, write=True) as opened:
        first = [put(f"a{n:03d}", int(rng.integers(20))) for n in range(300)]
        opened.submit(*first).result(SECONDS)
        opened.compact()
        opened.submit(
            *(put(f"b{n:02d}", int(rng.integers(20))) for n in range(60)),
            *(put(f"a{n:03d}", 3) for n in range(0, 60, 7)),
            Delete(ids=[f"a{n:03d}" for n in range(5, 200, 9)]),
        ).result(SECONDS)
        yield opened


def brute_force(
    view: View, wanted: Filter, query: np.ndarray, by_segment: bool
) -> list[float]:
    scores = []
    for item in view.items.values():
        if wanted.admits(item.label, item.metadata) and AUDIO in item.modalities:
            rows = view.vectors(item.id, AUDIO).astype(np.float64)
            found = [round(float(score), 9) for score in rows @ query.astype(np.float64)]
            scores += found if by_segment else [max(found)]
    return sorted(scores, reverse=True)


@pytest.mark.parametrize("group", ["item", "segment"])
@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize(
    "wanted",
    [
        Filter(must=(Clause("part", "eq", 3),)),
        Filter(must=(Clause("part", "gte", 3),)),
        Filter(must_not=(Clause("part", "eq", 3),)),
        Filter(must=(Clause("label", "eq", "owl"),)),
        Filter(must=(Clause("part", "eq", 99),)),
        Filter(),
    ],
)
def test_a_filtered_search_is_brute_force_over_what_is_admitted(
    collection: Collection, wanted: Filter, exact: bool, group: str
) -> None:
    view = collection.view
    for k in (1, 10, 1000):
        rankings = view.search(
            AUDIO,
            QUERIES,
            k,
            filter=wanted,
            exact=exact,
            group=group,  # type: ignore[arg-type]
        )
        for query, hits in zip(QUERIES, rankings, strict=True):
            expected = brute_force(view, wanted, query, group == "segment")
            np.testing.assert_allclose([h.score for h in hits], expected[:k], atol=1e-9)
            for hit in hits:
                item = view.item(hit.item_id)
                assert wanted.admits(item.label, item.metadata)


def test_excluded_items_take_no_place_among_the_admitted(collection: Collection) -> None:
    wanted = Filter(must=(Clause("part", "eq", 3),))
    (all_of_them,) = collection.view.search(AUDIO, QUERIES[:1], 1000, filter=wanted)
    out = [all_of_them[0].item_id, all_of_them[2].item_id, "clip00"]
    (rest,) = collection.view.search(AUDIO, QUERIES[:1], 1000, filter=wanted, exclude=out)
    assert [h.item_id for h in rest] == [
        h.item_id for h in all_of_them if h.item_id not in out
    ]


def test_filters_that_python_takes_for_equal_are_told_apart(collection: Collection) -> None:
    view = collection.view
    found = [
        len(view.search(AUDIO, QUERIES[:1], 1000, filter=Filter(must=(clause,)))[0])
        for clause in (Clause("one", "eq", True), Clause("one", "eq", 1))
    ]
    assert found[0] > 300
    assert found[1] == 0


def test_a_filter_belongs_to_the_view_that_it_is_asked_of(collection: Collection) -> None:
    wanted = Filter(must=(Clause("part", "eq", 3),))
    old = collection.view
    (before,) = old.search(AUDIO, QUERIES[:1], 1000, filter=wanted)
    item = NewItem(
        id=before[0].item_id,
        vectors=[NewVector(AUDIO, np.eye(8)[0])],
        metadata={"part": 4},
    )
    collection.submit(Put(item=item)).result(SECONDS)
    assert old.search(AUDIO, QUERIES[:1], 1000, filter=wanted)[0] == before
    (after,) = collection.view.search(AUDIO, QUERIES[:1], 1000, filter=wanted)
    assert [h.item_id for h in after] == [h.item_id for h in before[1:]]
