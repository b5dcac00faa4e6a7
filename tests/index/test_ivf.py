"""Lists: how much they find, what they cost, and that all else stays exact over them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crossmodal.durable import write_json
from crossmodal.embeddings import Embeddings, normalize
from crossmodal.errors import CollectionError, ConfigError
from crossmodal.modality import Modality
from index.collection import Collection
from index.galleries.bases import NumberedVectors, make_galleries, recall_of
from index.galleries.hnsw import HnswGallery
from index.galleries.ivf import IvfGallery, list_count
from index.galleries.kinds import FLAT, HNSW, IVF, BaseSettings, size_bytes
from index.storage.new_items import NewItem, NewVector
from index.verify import verify
from index.views.filters import Clause, Filter
from index.views.manifest import publish, read_base, read_manifest
from index.writing.compaction import CompactionPolicy
from index.writing.operations import Delete, Put

ROOT = Path(__file__).parents[2]
AUDIO, VISUAL = Modality.AUDIO, Modality.VISUAL
SECONDS = 120  # a bound for what hangs, not for what is slow
COUNT = 8_000
LISTS = BaseSettings(kind=IVF)


def unit(seed: int, rows: int, dim: int = 16) -> Embeddings:
    return normalize(np.random.default_rng(seed).standard_normal((rows, dim)))


def stored() -> Embeddings:
    vectors = unit(0, COUNT)
    vectors[:100] = vectors[0]
    return vectors


@pytest.fixture(scope="module")
def lists() -> IvfGallery:
    """Lists of vectors with numbers that have gaps, a hundred of them equal."""
    rows = NumberedVectors(np.arange(COUNT) * 3 + 5, stored())
    found = make_galleries({AUDIO: rows}, LISTS)[AUDIO]
    assert isinstance(found, IvfGallery)
    return found


def exact_scores(queries: Embeddings, count: int) -> np.ndarray:
    """By brute force in float64 over the vectors that went in."""
    scores = queries.astype(np.float64) @ stored().astype(np.float64).T
    return -np.sort(-scores, axis=1)[:, :count]


def content(gallery: IvfGallery | HnswGallery) -> bytes:
    parts: list[bytes] = []
    gallery.write(parts.append)
    return b"".join(parts)


MIB = 1 << 20


@pytest.mark.parametrize(
    ("count", "dim", "memory_mib", "expected"),
    [
        (0, 512, 1, (FLAT,)),
        (50_000, 512, 1, (FLAT,)),  # few: no other kind would save memory
        (50_001, 512, 1024, (IVF,)),
        (249_999, 512, 1024, (IVF,)),  # a graph would be no faster than all
        (250_000, 512, 567, (IVF, HNSW)),  # 488.3 MiB of vectors, 78.2 of the rest
        (250_000, 512, 566, (IVF,)),
        (1_000_000, 512, 4096, (IVF, HNSW)),
        (1_000_000, 512, 2048, (IVF,)),
        (1_000_000, 16, 374, (IVF, HNSW)),
        (1_000_000, 16, 373, (IVF,)),
        (5_000_000, 512, 8192, (IVF,)),
        (5_000_000, 512, 16384, (IVF, HNSW)),
    ],
)
def test_the_kinds_follow_from_count_width_and_memory(
    count: int, dim: int, memory_mib: int, expected: tuple[str, ...]
) -> None:
    rule = BaseSettings(memory_bytes=memory_mib * MIB)
    assert rule.kinds_of(count, dim, count) == expected


def test_the_memory_is_for_all_galleries_and_an_operator_may_insist() -> None:
    need = size_bytes(HNSW, 1000, 16)
    rule = BaseSettings(flat_up_to=10, graph_from=11, memory_bytes=need)
    assert rule.kinds_of(1000, 16, 1000) == (IVF, HNSW)
    assert rule.kinds_of(1000, 16, 2000) == (IVF,)
    for kind in (FLAT, HNSW, IVF):
        assert BaseSettings(kind=kind).kinds_of(1, 16, 1) == (kind,)
    with pytest.raises(ConfigError, match="auto, flat, hnsw, ivf; not 'tree'"):
        BaseSettings(kind="tree")
    with pytest.raises(ConfigError, match="1 byte or more"):
        BaseSettings(memory_bytes=0)


def test_they_find_what_they_say_of_queries_they_have_not_seen(lists: IvfGallery) -> None:
    queries = unit(1, 300)
    found = lists.search(queries, 10).scores
    lowest = exact_scores(queries, 10)[:, -1:]
    recall = float((found >= lowest - 1e-6).mean())
    assert recall >= 0.98
    assert lists.recall is not None
    assert lists.recall >= 0.99
    assert recall == pytest.approx(recall_of(lists, queries), abs=1e-9)
    assert 1 < lists.search_width <= list_count(COUNT) // 2


def test_the_width_is_the_first_that_finds_enough() -> None:
    rows = {AUDIO: NumberedVectors(np.arange(COUNT), stored())}
    widths = []
    for wanted in (0.3, 0.9, 0.99):
        made = make_galleries(rows, BaseSettings(kind=IVF, recall=wanted))[AUDIO]
        assert isinstance(made, IvfGallery)
        assert made.recall is not None
        assert made.recall >= wanted
        if made.search_width > 1:
            sample = stored()[np.random.default_rng(0).permutation(COUNT)[:200]]
            assert recall_of(made.measured(made.search_width // 2, 0.0), sample) < wanted
        widths.append(made.search_width)
    assert widths == sorted(set(widths))


def test_where_half_of_the_lists_find_too_little_all_are_compared(
    caplog: pytest.LogCaptureFixture,
) -> None:
    hard = {AUDIO: NumberedVectors(np.arange(3000), unit(6, 3000, 256))}
    assert make_galleries(hard, BaseSettings(kind=IVF, recall=1.0))[AUDIO].kind == FLAT
    assert "it is not used" in caplog.text
    few = {AUDIO: NumberedVectors(np.arange(1, 6), unit(7, 5))}
    assert make_galleries(few, LISTS)[AUDIO].kind == FLAT
    none = {AUDIO: NumberedVectors(np.empty(0, np.int64), np.empty((0, 16), np.float32))}
    assert make_galleries(none, LISTS)[AUDIO].kind == FLAT


def test_their_candidates_are_their_vectors_with_their_scores(lists: IvfGallery) -> None:
    queries = unit(2, 20)
    seqs, scores = lists.search(queries, 7)
    assert seqs.shape == (20, 7)
    assert (np.diff(scores, axis=1) <= 0).all()
    for query, found, claimed in zip(queries, seqs, scores, strict=True):
        assert len(set(found.tolist())) == 7
        np.testing.assert_allclose(lists.vectors(found) @ query, claimed, atol=lists.error)
    np.testing.assert_array_equal(lists.seqs, np.arange(COUNT) * 3 + 5)
    np.testing.assert_array_equal(lists.vectors(lists.seqs[::-1]), stored()[::-1])
    assert lists.vectors(lists.seqs[:0]).shape == (0, 16)


@pytest.mark.parametrize("count", [1, 2500, COUNT, COUNT + 5])
def test_more_than_some_lists_hold_is_found_all_the_same(
    lists: IvfGallery, count: int
) -> None:
    narrow = lists.measured(1, 0.0)
    seqs, scores = narrow.search(unit(3, 2), count)
    assert seqs.shape == (2, min(count, COUNT))
    assert (seqs > 0).all()
    assert all(len(set(row)) == len(row) for row in seqs.tolist())
    if count >= COUNT:
        np.testing.assert_allclose(scores, exact_scores(unit(3, 2), COUNT), atol=1e-6)


def test_the_same_vectors_and_seed_give_the_same_bytes(lists: IvfGallery) -> None:
    rows = NumberedVectors(np.arange(COUNT) * 3 + 5, stored())
    assert content(IvfGallery.of(*rows, 0)) == content(lists)
    assert content(IvfGallery.of(*rows, 1)) != content(lists)


def test_they_are_the_same_after_being_written_and_read(
    lists: IvfGallery, tmp_path: Path
) -> None:
    manifest = publish(tmp_path, {AUDIO: lists}, seq=3 * COUNT + 5, model_id="m")
    base = manifest.bases[AUDIO]
    assert (base.kind, base.search_width) == (IVF, lists.search_width)
    assert base.recall == lists.recall
    assert read_manifest(tmp_path) == manifest
    again = read_base(tmp_path, manifest, AUDIO)
    queries = unit(4, 30)
    for mine, theirs in zip(
        lists.search(queries, 9), again.search(queries, 9), strict=True
    ):
        np.testing.assert_array_equal(mine, theirs)
    raw = np.frombuffer(content(lists), dtype=np.uint8)
    with pytest.raises(CollectionError, match="another index than the manifest names"):
        HnswGallery.deserialize(raw, 64, 1.0)
    for width in (0, list_count(COUNT) + 1):
        with pytest.raises(CollectionError, match="lists, of which"):
            IvfGallery.deserialize(raw, width, 1.0)


def test_every_flip_and_cut_is_noticed(tmp_path: Path) -> None:
    rows = NumberedVectors(np.arange(1, 501), unit(8, 500, 8))
    made = IvfGallery.of(*rows, 0).measured(2, 0.9)
    manifest = publish(tmp_path, {AUDIO: made}, seq=500, model_id="m")
    path = tmp_path / manifest.bases[AUDIO].file
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    flips = int(os.environ.get("EARSHOT_FLIPS", "40"))
    damaged = [whole[:size] for size in rng.integers(0, len(whole), flips // 2)]
    for position in rng.choice(len(whole), flips, replace=False):
        flipped = bytearray(whole)
        flipped[position] ^= 1 << int(rng.integers(8))
        damaged.append(bytes(flipped))
    for raw in damaged:
        path.write_bytes(raw)
        with pytest.raises(CollectionError, match=r"sha256|bytes of CURRENT"):
            read_base(tmp_path, manifest, AUDIO)


def test_making_them_is_given_up_when_the_collection_closes() -> None:
    with pytest.raises(CollectionError, match="closed while a base was made"):
        IvfGallery.of(np.arange(900), unit(5, 900), 0, lambda: True)


PEAK = r"""
import re, sys
from pathlib import Path
import numpy as np
from crossmodal.embeddings import normalize
from crossmodal.modality import Modality
from index.galleries.bases import NumberedVectors, make_galleries
from index.galleries.kinds import BaseSettings
from index.views.manifest import publish

rng = np.random.default_rng(0)
vectors = np.empty((50_000, 256), dtype=np.float32)
for start in range(0, 50_000, 500):
    vectors[start : start + 500] = normalize(rng.standard_normal((500, 256)))
small = NumberedVectors(np.arange(1, 501), vectors[:500].copy())
lists = BaseSettings(kind="ivf", recall=0.01)
make_galleries({Modality.AUDIO: small}, lists)  # what libraries take the first time

def peak():  # of this program: getrusage would count the one that started it, too
    return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1])

before = peak()
rows = NumberedVectors(np.arange(1, 50_001), vectors)
made = make_galleries({Modality.AUDIO: rows}, lists)
assert made[Modality.AUDIO].kind == "ivf"
publish(Path(sys.argv[1]), made, seq=50_000, model_id="m")
print((peak() - before) * 1024 / vectors.nbytes)
"""


def test_making_and_writing_them_takes_no_second_copy(tmp_path: Path) -> None:
    """Beside the vectors stand the lists and, while those are made, a sample."""
    done = subprocess.run(
        [sys.executable, "-c", PEAK, str(tmp_path)],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
    )
    assert 0.9 < float(done.stdout) < 1.7, done.stdout


def narrow(seed: int, rows: int, directions: int = 3) -> Embeddings:
    """Vectors of eight dimensions that differ in some directions, hardly in the others."""
    widths = np.where(np.arange(8) < directions, 1.0, 0.01)
    return normalize(unit(seed, rows, 8) * widths)


def items(first: int, count: int, directions: int = 3) -> list[Put]:
    rows = {m: narrow(seed, 2400, directions) for seed, m in enumerate((AUDIO, VISUAL))}
    return [
        Put(
            item=NewItem(
                id=f"n{n:04d}",
                vectors=[NewVector(m, rows[m][n]) for m in (AUDIO, VISUAL)],
                metadata={"part": n % 150},
            )
        )
        for n in range(first, first + count)
    ]


QUERIES = narrow(9, 100)


def recall(collection: Collection) -> float:
    view = collection.view
    found = view.search(AUDIO, QUERIES, 10)
    exact = view.search(AUDIO, QUERIES, 10, exact=True)
    shares = [
        len({h.item_id for h in a} & {h.item_id for h in b}) / 10
        for a, b in zip(found, exact, strict=True)
    ]
    return float(np.mean(shares))


def kinds(collection: Collection) -> set[object]:
    bases: dict[str, Any] = collection.info()["bases"]
    return {base["kind"] for base in bases.values()}


def test_a_collection_passes_from_kind_to_kind_as_it_grows(data: Path) -> None:
    need = 2 * size_bytes(HNSW, 950, 8)
    rule = BaseSettings(flat_up_to=300, graph_from=301, memory_bytes=need)
    policy = CompactionPolicy(tail=10_000, bases=rule)
    with Collection.open(data, write=True, policy=policy) as collection:
        assert kinds(collection) == {FLAT}
        for first, count, expected in ((0, 900, HNSW), (900, 1500, IVF)):
            collection.submit(*items(first, count)).result(SECONDS)
            before = collection.view.search(AUDIO, QUERIES, 10, exact=True)
            manifest = collection.compact()
            assert {base.kind for base in manifest.bases.values()} == {expected}
            assert all((base.recall or 0) >= 0.99 for base in manifest.bases.values())
            assert collection.view.search(AUDIO, QUERIES, 10, exact=True) == before
            assert recall(collection) >= 0.98
        gone = [f"n{n:04d}" for n in range(0, 2400, 15)]
        collection.submit(Delete(ids=gone)).result(SECONDS)
        assert recall(collection) >= 0.98
        (hits,) = collection.view.search(AUDIO, QUERIES[:1], 700)
        assert not {hit.item_id for hit in hits} & set(gone)
        kept = 0
        for part in range(1, 150, 30):  # 16 of 2440 items each, some of them deleted
            wanted = Filter(must=(Clause("part", "eq", part),))
            few = collection.view.search(AUDIO, QUERIES, 10, filter=wanted)
            assert few == collection.view.search(
                AUDIO, QUERIES, 10, filter=wanted, exact=True
            )
            kept += len(few[0])
        assert kept == 50
        item = NewItem(id="late", vectors=[NewVector(AUDIO, QUERIES[0])])
        collection.submit(Put(item=item)).result(SECONDS)
        answers = collection.view.search(AUDIO, QUERIES, 10)
        assert answers[0][0].item_id == "late"
    with Collection.open(data) as again:
        assert again.degraded is None
        assert kinds(again) == {IVF}
        assert again.view.search(AUDIO, QUERIES, 10) == answers
    with Collection.open(data, write=True, policy=policy) as collection:
        collection.submit(Delete(ids=[f"n{n:04d}" for n in range(2200)])).result(SECONDS)
        collection.compact()
        assert kinds(collection) == {FLAT}
        assert recall(collection) == 1.0


def test_fewer_lists_than_were_measured_are_caught_by_the_recorded_recall(
    data: Path,
) -> None:
    with Collection.open(
        data, write=True, policy=CompactionPolicy(bases=LISTS)
    ) as collection:
        collection.submit(*items(0, 2400, directions=8)).result(SECONDS)
        collection.compact()
        assert kinds(collection) == {IVF}
    checks = {check.name: check for check in verify(data)}
    assert all(check.ok for check in checks.values()), checks
    assert "at least" in checks["search audio"].detail
    current = json.loads((data / "index" / "CURRENT").read_text())
    assert current["bases"]["audio"]["search_width"] > 1
    current["bases"]["audio"]["search_width"] = 1
    write_json(data / "index" / "CURRENT", current)
    checks = {check.name: check for check in verify(data)}
    assert not checks["search audio"].ok, checks["search audio"].detail
    assert checks["search visual"].ok
