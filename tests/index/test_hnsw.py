"""Graphs: how much they find, and that all else stays exact over them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from crossmodal.embeddings import Embeddings, normalize
from crossmodal.errors import CollectionError, ConfigError
from crossmodal.modality import Modality
from index.collection import Collection
from index.galleries.bases import NumberedVectors, make_galleries, recall_of
from index.galleries.flat import FlatGallery
from index.galleries.hnsw import HnswGallery
from index.galleries.kinds import HNSW, BaseSettings
from index.storage.new_items import NewItem, NewVector
from index.verify import verify
from index.views.filters import Clause, Filter
from index.writing.compaction import CompactionPolicy
from index.writing.operations import Delete, Put

AUDIO, VISUAL = Modality.AUDIO, Modality.VISUAL
SECONDS = 120
COUNT = 10_000
GRAPHS = BaseSettings(kind=HNSW)


def unit(seed: int, rows: int, dim: int = 16) -> Embeddings:
    return normalize(np.random.default_rng(seed).standard_normal((rows, dim)))


@pytest.fixture(scope="module")
def graph() -> HnswGallery:
    """A graph of vectors with numbers that have gaps, a hundred of them equal."""
    vectors = unit(0, COUNT)
    vectors[:100] = vectors[0]
    rows = NumberedVectors(np.arange(COUNT) * 3 + 5, vectors)
    found = make_galleries({AUDIO: rows}, GRAPHS)[AUDIO]
    assert isinstance(found, HnswGallery)
    return found


def exact_scores(graph: HnswGallery, queries: Embeddings, count: int) -> np.ndarray:
    """By brute force in float64 over the vectors that went in."""
    vectors = unit(0, COUNT)
    vectors[:100] = vectors[0]
    scores = queries.astype(np.float64) @ vectors.astype(np.float64).T
    return -np.sort(-scores, axis=1)[:, :count]


def test_it_finds_what_it_says_of_queries_it_has_not_seen(graph: HnswGallery) -> None:
    queries = unit(1, 200)
    found = graph.search(queries, 10).scores
    lowest = exact_scores(graph, queries, 10)[:, -1:]
    recall = float((found >= lowest - 1e-6).mean())
    assert recall >= 0.99
    assert graph.recall is not None
    assert graph.recall >= 0.99
    assert recall == pytest.approx(recall_of(graph, queries), abs=1e-9)


def test_its_candidates_are_its_vectors_with_their_scores(graph: HnswGallery) -> None:
    queries = unit(2, 20)
    seqs, scores = graph.search(queries, 7)
    assert seqs.shape == (20, 7)
    assert (np.diff(scores, axis=1) <= 0).all()
    for query, found, claimed in zip(queries, seqs, scores, strict=True):
        assert len(set(found.tolist())) == 7
        np.testing.assert_allclose(graph.vectors(found) @ query, claimed, atol=graph.error)


def test_more_than_the_graph_can_reach_is_compared_one_by_one(graph: HnswGallery) -> None:
    seqs, scores = graph.search(unit(3, 2), COUNT + 5)
    assert seqs.shape == (2, COUNT)
    assert (seqs > 0).all()
    np.testing.assert_allclose(scores, exact_scores(graph, unit(3, 2), COUNT), atol=1e-6)


def test_it_is_the_same_after_being_written_and_read(graph: HnswGallery) -> None:
    parts: list[bytes] = []
    graph.write(parts.append)
    raw = np.frombuffer(b"".join(parts), dtype=np.uint8)
    again = HnswGallery.deserialize(raw, graph.search_width, 0.995)
    queries = unit(4, 30)
    for mine, theirs in zip(
        graph.search(queries, 9), again.search(queries, 9), strict=True
    ):
        np.testing.assert_array_equal(mine, theirs)
    with pytest.raises(CollectionError, match="another index than the manifest names"):
        FlatGallery.deserialize(raw)


def test_the_kind_follows_from_count_memory_and_recall(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rows = {AUDIO: NumberedVectors(np.arange(900), unit(5, 900))}

    def kind(**settings: float) -> str:
        return make_galleries(rows, BaseSettings(**settings))[AUDIO].kind  # type: ignore[arg-type]

    assert kind(flat_up_to=900) == "flat"
    assert kind(flat_up_to=899, recall=0.5) == "ivf"
    assert kind(flat_up_to=899, graph_from=901, recall=0.999) == "flat"
    assert kind(flat_up_to=899, graph_from=900, recall=0.999) == "hnsw"
    assert caplog.text.count("ivf over 900 vectors finds 0.") == 2
    caplog.clear()
    assert kind(flat_up_to=0, memory_bytes=900 * 16 * 4, recall=0.5) == "ivf"
    assert not caplog.text
    hard = normalize(np.random.default_rng(6).standard_normal((3000, 256)))
    hopeless = {AUDIO: NumberedVectors(np.arange(3000), hard)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("index.galleries.hnsw.SEARCH_WIDTHS", (1,))
        settings = BaseSettings(flat_up_to=0, graph_from=0, recall=1.0)
        assert make_galleries(hopeless, settings)[AUDIO].kind == "flat"
    assert "ivf over 3000 vectors" in caplog.text
    assert "hnsw over 3000 vectors" in caplog.text
    with pytest.raises(CollectionError, match="closed while a base was made"):
        make_galleries(rows, BaseSettings(flat_up_to=0), lambda: True)
    with pytest.raises(ConfigError, match="recall in"):
        BaseSettings(recall=0.0)


def test_a_collection_over_graphs_is_written_to_filtered_and_reopened(data: Path) -> None:
    policy = CompactionPolicy(tail=5000, bases=GRAPHS)
    rows = {m: unit(number, 2000, 8) for number, m in enumerate((AUDIO, VISUAL))}
    puts = [
        Put(
            item=NewItem(
                id=f"n{n:04d}",
                vectors=[NewVector(m, rows[m][n]) for m in (AUDIO, VISUAL)],
                metadata={"part": n % 40},
            )
        )
        for n in range(2000)
    ]
    queries = unit(9, 100, 8)

    def recall(collection: Collection) -> float:
        view = collection.view
        found = view.search(AUDIO, queries, 10)
        exact = view.search(AUDIO, queries, 10, exact=True)
        return float(
            np.mean(
                [
                    len({h.item_id for h in a} & {h.item_id for h in b}) / 10
                    for a, b in zip(found, exact, strict=True)
                ]
            )
        )

    with Collection.open(data, write=True, policy=policy) as collection:
        collection.submit(*puts).result(SECONDS)
        manifest = collection.compact()
        assert {base.kind for base in manifest.bases.values()} == {"hnsw"}
        assert all((base.recall or 0) >= 0.99 for base in manifest.bases.values())
        first = recall(collection)
        assert first >= 0.99
        facts = collection.info()["bases"]["audio"]
        assert (facts["kind"], facts["vectors"], facts["tail"]) == ("hnsw", 2040, 0)
        gone = [f"n{n:04d}" for n in range(0, 2000, 15)]
        collection.submit(Delete(ids=gone)).result(SECONDS)
        assert collection.info()["bases"]["audio"]["deleted"] == len(gone)
        assert recall(collection) >= first - 0.01
        (hits,) = collection.view.search(AUDIO, queries[:1], 2000)
        assert len(hits) == 2040 - len(gone)
        wanted = Filter(must=(Clause("part", "eq", 7),))
        (few,) = collection.view.search(AUDIO, queries[:1], 100, filter=wanted)
        assert len(few) == 50 - len([i for i in gone if int(i[1:]) % 40 == 7])
        item = NewItem(id="late", vectors=[NewVector(AUDIO, queries[0])])
        collection.submit(Put(item=item)).result(SECONDS)
        (hits,) = collection.view.search(AUDIO, queries[:1], 1)
        assert hits[0].item_id == "late"
        before = recall(collection)
    with Collection.open(data) as again:
        assert again.degraded is None
        assert abs(recall(again) - before) <= 0.01
    checks = {check.name: check for check in verify(data)}
    assert all(check.ok for check in checks.values()), checks
    assert "at least" in checks["search audio"].detail
    with Collection.open(data, write=True, policy=policy) as collection:
        collection.compact()
        assert recall(collection) >= before - 0.01
