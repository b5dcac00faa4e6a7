from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from crossmodal.embeddings import normalize
from crossmodal.errors import ConfigError, ModalityError, ShapeError
from crossmodal.items import Segment
from crossmodal.modality import Modality
from index.galleries.flat import FlatGallery
from index.views.by_id import ItemsById
from index.views.item_map import ItemMap
from index.views.items import StoredItem
from index.views.ranking import Hit
from index.views.rows import Rows
from index.views.shelf import Shelf
from index.views.view import View

AUDIO = Modality.AUDIO

Search = Callable[..., list[list[Hit]]]


def stored(item_id: str, **changes: object) -> StoredItem:
    item = StoredItem(item_id, 1, None, {}, (AUDIO,), None, 0.0)
    return item._replace(**changes)


def view_of(ids: list[str], vectors: np.ndarray, *, tail: int = 0, dead: int = 0) -> View:
    """A view with the last ``tail`` rows on a shelf of their own, ``dead`` ones gone."""
    items = {item_id: stored(item_id) for item_id in sorted(set(ids))}
    seqs = np.arange(len(ids)) * 3 + 5
    times = np.arange(len(ids), dtype=np.float64)
    cut = len(ids) - tail
    shelves = []
    for start, stop in ((0, cut), (cut, len(ids))):
        gallery = FlatGallery.of(seqs[start:stop], vectors[start:stop])
        live = slice(start + (dead if start == 0 else 0), stop)
        rows = Rows.of(seqs[live], ids[live], times[live], times[live] + 1)
        shelves.append(Shelf.of(gallery, rows))
    gone = set(ids[:dead]) - set(ids[dead:])
    kept = {item_id: item for item_id, item in items.items() if item_id not in gone}
    return View(
        seq=10**6,
        version="v",
        model_id="m",
        dim=vectors.shape[1],
        items=ItemMap(ItemsById(kept.values())),
        shelves={AUDIO: shelves},
        unserved={},
    )


def brute_force(
    ids: list[str],
    vectors: np.ndarray,
    query: np.ndarray,
    *,
    exclude: tuple[str, ...] = (),
    by_segment: bool = False,
) -> list[tuple[str, float]]:
    """The definition: all pairs in float64, rounded, sorted by score, id, position."""
    exact = vectors.astype(np.float64) @ query.astype(np.float64)
    scores = [round(float(score), 9) for score in exact]
    order = sorted(range(len(ids)), key=lambda row: (-scores[row], ids[row], row))
    ranking, seen = [], set(exclude)
    for row in order:
        if ids[row] in seen:
            continue
        if not by_segment:
            seen.add(ids[row])
        ranking.append((ids[row], scores[row]))
    return ranking


def random_unit(rng: np.random.Generator, rows: int, dim: int) -> np.ndarray:
    return normalize(rng.standard_normal((rows, dim)))


def with_duplicates(rng: np.random.Generator, rows: int, dim: int) -> np.ndarray:
    """Vectors many of which are equal, some of which differ in the last bit."""
    vectors = random_unit(rng, rows, dim)
    copies = rng.integers(0, max(1, rows // 5), size=rows)
    vectors = vectors[copies]
    nudged = rng.random(rows) < 0.2
    vectors[nudged, 0] = np.nextafter(vectors[nudged, 0], np.float32(2))
    return vectors


def pairs(hits: list[Hit]) -> list[tuple[str, float]]:
    return [(hit.item_id, hit.score) for hit in hits]


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("dim", [1, 2, 16, 512])
@pytest.mark.parametrize("rows", [0, 1, 9, 10, 150])
def test_search_equals_brute_force_with_duplicates_and_ties(
    rows: int, dim: int, exact: bool
) -> None:
    rng = np.random.default_rng(rows * 1000 + dim)
    vectors = with_duplicates(rng, rows, dim) if rows else np.empty((0, dim), np.float32)
    ids = [f"i{number:04d}" for number in rng.permutation(rows)]
    view = view_of(ids, vectors)
    queries = random_unit(rng, 25, dim)  # over 20 rows FAISS multiplies matrices
    for k in (1, 10, rows + 5):
        found = view.search(AUDIO, queries, k, exact=exact)
        for query, hits in zip(queries, found, strict=True):
            assert pairs(hits) == brute_force(ids, vectors, query)[:k]
            assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))


def test_many_equal_items_are_cut_by_id_whatever_their_place_in_the_gallery() -> None:
    rng = np.random.default_rng(1)
    same = random_unit(rng, 1, 32)
    ids = [f"i{number:05d}" for number in rng.permutation(20_000)]
    view = view_of(ids, np.repeat(same, len(ids), axis=0))
    (hits,) = view.search(AUDIO, same, 7)
    assert [hit.item_id for hit in hits] == [f"i{number:05d}" for number in range(7)]


@pytest.mark.parametrize("group", ["item", "segment"])
@pytest.mark.parametrize(("tail", "dead"), [(0, 0), (40, 0), (0, 60), (40, 60), (300, 0)])
def test_segments_tail_and_deleted_rows_rank_as_brute_force(
    tail: int, dead: int, group: str
) -> None:
    rng = np.random.default_rng(2)
    vectors = with_duplicates(rng, 300, 16)
    ids = [f"i{number // 3:03d}" for number in range(300)]
    view = view_of(ids, vectors, tail=tail, dead=dead)
    queries = random_unit(rng, 4, 16)
    for k, offset in ((1, 0), (10, 0), (10, 15), (1000, 0), (5, 1000)):
        found = view.search(AUDIO, queries, k, offset=offset, group=group)
        for query, hits in zip(queries, found, strict=True):
            expected = brute_force(
                ids[dead:], vectors[dead:], query, by_segment=group == "segment"
            )
            assert pairs(hits) == expected[offset : offset + k]
            assert [hit.rank for hit in hits] == list(
                range(offset + 1, offset + 1 + len(hits))
            )


def test_a_hit_names_the_segment_that_scored() -> None:
    vectors = np.eye(3, dtype=np.float32)
    view = view_of(["a", "a", "b"], vectors)
    (hits,) = view.search(AUDIO, vectors[1:2], 2)
    assert hits[0] == Hit(1, "a", 1.0, Segment(1.0, 2.0))
    assert hits[1].item_id == "b"


def test_excluded_items_take_no_place() -> None:
    rng = np.random.default_rng(3)
    vectors = with_duplicates(rng, 200, 8)
    ids = [f"i{number:03d}" for number in range(200)]
    view = view_of(ids, vectors)
    queries = random_unit(rng, 5, 8)
    for query in queries:
        best = [item_id for item_id, _ in brute_force(ids, vectors, query)[:50]]
        exclude = (*best, "not_stored")
        (hits,) = view.search(AUDIO, query[None], 200, exclude=exclude)
        assert pairs(hits) == brute_force(ids, vectors, query, exclude=exclude)
        assert len(hits) == 150


def test_masked_dimensions_do_not_count() -> None:
    rng = np.random.default_rng(4)
    vectors, queries = random_unit(rng, 100, 8), random_unit(rng, 3, 8)
    ids = [f"i{number:03d}" for number in range(100)]
    masked = queries.copy()
    masked[:, [0, 5]] = 0
    before = queries.copy()
    found = view_of(ids, vectors).search(AUDIO, queries, 100, mask=[0, 5])
    for query, hits in zip(masked, found, strict=True):
        assert pairs(hits) == brute_force(ids, vectors, query)
    np.testing.assert_array_equal(queries, before)


def test_scores_of_a_query_are_the_same_alone_and_among_others() -> None:
    rng = np.random.default_rng(5)
    vectors, queries = random_unit(rng, 150, 128), random_unit(rng, 30, 128)
    view = view_of([f"i{number:03d}" for number in range(150)], vectors)
    together = view.search(AUDIO, queries, 150)
    alone = [view.search(AUDIO, query[None], 150)[0] for query in queries]
    assert together == alone


def test_a_search_without_queries_answers_nothing() -> None:
    view = view_of(["a"], np.eye(1, 4, dtype=np.float32))
    assert view.search(AUDIO, np.empty((0, 4), np.float32), 3) == []


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (np.ones((1, 3), np.float32), r"expected queries \(n, 4\), got \(1, 3\)"),
        (np.full((1, 4), np.nan, np.float32), "norm outside"),
        (np.full((1, 4), np.inf, np.float32), "norm outside"),
        (np.zeros((1, 4), np.float32), "norm outside"),
        (np.full((1, 4), 2, np.float32), "expected 1"),
    ],
)
def test_a_bad_query_is_refused(query: np.ndarray, message: str) -> None:
    view = view_of(["a"], np.eye(1, 4, dtype=np.float32))
    with pytest.raises(ShapeError, match=message):
        view.search(AUDIO, query, 1)


def test_what_cannot_be_searched_is_refused() -> None:
    unit = np.eye(1, 4, dtype=np.float32)
    view = view_of(["a"], unit)
    with pytest.raises(ModalityError, match="no visual gallery, only audio"):
        view.search(Modality.VISUAL, unit, 1)
    with pytest.raises(ConfigError, match="k >= 1"):
        view.search(AUDIO, unit, 0)
    with pytest.raises(ConfigError, match="offset >= 0"):
        view.search(AUDIO, unit, 1, offset=-1)
    with pytest.raises(ShapeError, match="mask dimensions from 0 to 3"):
        view.search(AUDIO, unit, 1, mask=[4])


def test_ten_thousand_items_rank_as_brute_force_for_two_hundred_queries() -> None:
    rng = np.random.default_rng(6)
    vectors = with_duplicates(rng, 10_000, 64)
    ids = [f"i{number:05d}" for number in rng.permutation(10_000)]
    queries = random_unit(rng, 200, 64)
    found = view_of(ids, vectors).search(AUDIO, queries, 10)
    exact = np.round(queries.astype(np.float64) @ vectors.astype(np.float64).T, 9)
    by_id = np.argsort(ids)
    for scores, hits in zip(exact, found, strict=True):
        order = by_id[np.argsort(-scores[by_id], kind="stable")][:10]
        assert pairs(hits) == [(ids[row], scores[row]) for row in order]
