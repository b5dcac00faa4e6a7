"""Rounded vectors: what they leave out is never better than they say."""

from __future__ import annotations

import numpy as np
import pytest

import index.galleries.flat
from crossmodal.embeddings import Embeddings, normalize
from index.galleries.flat import ROUNDED_FROM, FlatGallery
from index.galleries.rounded import RoundedVectors

ROWS = ROUNDED_FROM + 300


def rows_of(kind: str, dim: int, rows: int = ROWS) -> Embeddings:
    rng = np.random.default_rng(dim)
    noise = rng.standard_normal((rows, dim))
    if kind == "crowded":
        noise = rng.standard_normal((1, dim)) + 0.05 * noise
    elif kind == "uneven":
        noise *= np.exp(-np.arange(dim) / 5)
    elif kind == "spiked":
        noise[::7, 2] += 50
    elif kind == "finer than a step":
        noise = rng.standard_normal((1, dim)) + 1e-2 * noise
        noise[:dim], noise[dim : 2 * dim] = 9 * np.eye(dim), -9 * np.eye(dim)
    elif kind == "equal":
        noise[: rows // 2] = noise[0]
    elif kind == "constant dimension":
        noise[:, 1] = 0
    return normalize(noise)


KINDS = (
    *("random", "crowded", "uneven", "spiked", "equal", "constant dimension"),
    "finer than a step",
)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dim", [3, 16, 37])  # FAISS adds up sixteen at a time
def test_no_row_left_out_scores_above_the_bound(kind: str, dim: int) -> None:
    vectors = rows_of(kind, dim, 1000)
    queries = np.concatenate(
        [vectors[:20], rows_of("random", dim, 21)[1:], vectors[:1] * 0]
    )
    rows, bounds = RoundedVectors(vectors).nearest(queries, 50)
    for query, found, bound in zip(queries, rows, bounds, strict=True):
        assert len(set(found.tolist())) == 50
        scores = vectors.astype(np.float64) @ query.astype(np.float64)
        left = np.delete(scores, found)
        assert left.max() <= bound
        assert bound - scores[found].min() < 0.3  # else it would say nothing


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [1, 26, 45])
def test_a_gallery_finds_what_comparing_with_every_vector_finds(
    kind: str, count: int
) -> None:
    vectors = rows_of(kind, 24)
    seqs = np.arange(ROWS) * 3 + 5
    gallery = FlatGallery.of(seqs, vectors)
    queries = np.concatenate([vectors[:30], rows_of("random", 24)[-30:]])
    found, scores = gallery.search(queries, count)
    exact = queries.astype(np.float64) @ vectors.astype(np.float64).T
    best = -np.sort(-exact, axis=1)[:, :count]
    np.testing.assert_allclose(scores, best, atol=2 * gallery.error)
    own = np.take_along_axis(exact, (found - 5) // 3, axis=1)
    np.testing.assert_allclose(own, scores, atol=gallery.error)
    for row in found:
        assert len(set(row.tolist())) == count


def searches_of_all(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many queries each full comparison had, as they come."""
    seen: list[int] = []
    search = FlatGallery._search_all

    def counted(gallery: FlatGallery, queries: Embeddings, count: int) -> object:
        seen.append(len(queries))
        return search(gallery, queries, count)

    monkeypatch.setattr(FlatGallery, "_search_all", counted)
    return seen


def test_what_rounding_settles_is_not_compared_with_every_vector(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gallery = FlatGallery.of(np.arange(ROWS), rows_of("random", 64))
    seen = searches_of_all(monkeypatch)
    gallery.search(gallery.vectors(np.arange(40)), 1)
    assert seen == []


def test_only_queries_in_doubt_are_compared_with_every_vector(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    vectors = rows_of("random", 64)
    vectors[:5000] = vectors[0]
    gallery = FlatGallery.of(np.arange(ROWS), vectors)
    seen = searches_of_all(monkeypatch)
    gallery.search(vectors[[0, 6000, 1, 7000]], 1)
    assert seen == [2]


def test_without_the_bound_answers_would_be_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant: what rounding puts first is believed."""
    vectors = rows_of("finer than a step", 24)
    gallery = FlatGallery.of(np.arange(ROWS), vectors)
    queries = vectors[-30:]
    right = gallery.search(queries, 40).scores
    nearest = RoundedVectors.nearest

    def sure(rounded: RoundedVectors, queries: Embeddings, count: int) -> object:
        found = nearest(rounded, queries, count)
        return found._replace(bounds=found.bounds - 10)

    monkeypatch.setattr(RoundedVectors, "nearest", sure)
    monkeypatch.setattr(index.galleries.flat, "_SPARE", 0)
    wrong = gallery.search(queries, 40).scores
    assert not np.allclose(right, wrong, rtol=0, atol=1e-6)
