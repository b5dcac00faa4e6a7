"""Verify: every checksum of a data directory, and search against brute force."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from crossmodal.bundle import Bundle
from crossmodal.errors import CollectionError, CrossmodalError
from crossmodal.modality import Modality
from index.collection import BUNDLE, MEDIA, STAGING, Collection, model_of
from index.storage.database import DATABASE, check_data_directory
from index.storage.lock import DirectoryLock
from index.storage.media import MediaFiles
from index.storage.store import Store
from index.views.manifest import CURRENT, IndexManifest, read_base, read_manifest
from index.views.view import View
from index.writing.write_path import INDEX

RECALL_AT = 10
QUERIES = 100
_NAMED_AT_MOST = 5


class Check(NamedTuple):
    """One thing looked at: what, whether it is as it must be, and what was found."""

    name: str
    ok: bool
    detail: str


def verify(directory: Path, *, seed: int = 0) -> list[Check]:
    """Check a data directory from its database to its answers; nothing is changed.

    Args:
        directory: The data directory.
        seed: Draws the stored vectors that serve as queries.

    Raises:
        CollectionLockedError: If another process writes to it.
        CollectionError: If it is no data directory.
    """
    check_data_directory(directory)
    lock = DirectoryLock(directory, write=False)
    try:
        checks = list(_files(directory))
        if all(check.ok for check in checks if check.name in ("bundle", "database")):
            checks += _answers(directory, seed)
    finally:
        lock.release()
    return checks


def recall_against_exact(
    view: View, modality: Modality, queries: np.ndarray, k: int
) -> float:
    """Return the mean part of the exact k best hits that the ordinary search returns."""
    found = view.search(modality, queries, k)
    exact = view.search(modality, queries, k, exact=True)
    shares = [
        len({hit.item_id for hit in ours} & {hit.item_id for hit in best}) / len(best)
        for ours, best in zip(found, exact, strict=True)
    ]
    return float(np.mean(shares))


def _files(directory: Path) -> Iterator[Check]:
    yield _check("bundle", lambda: f"model {Bundle.open(directory / BUNDLE).model_id[:12]}")
    try:
        store = Store.open(directory / DATABASE, write=False)
    except CrossmodalError as error:
        yield Check("database", False, str(error))
        return
    try:
        yield _database(store)
        yield _vectors(store)
        yield _media(directory, store)
        yield from _bases(directory, store)
    finally:
        store.close()


def _database(store: Store) -> Check:
    problems = store.integrity_problems()
    return Check("database", not problems, _list(problems) or "integrity check passed")


def _vectors(store: Store) -> Check:
    damaged = [str(seq) for seq in store.damaged_vectors()]
    total = sum(group.vectors for group in store.groups())
    detail = f"damaged: {_list(damaged)}" if damaged else f"{total} checksums hold"
    return Check("vectors", not damaged, detail)


def _media(directory: Path, store: Store) -> Check:
    files = MediaFiles(directory / MEDIA, directory / STAGING)
    wanted = sorted({item.media_sha256 for item in store.items() if item.media_sha256})
    bad = [sha256 for sha256 in wanted if not files.is_whole(sha256)]
    detail = f"missing or damaged: {_list(bad)}" if bad else f"{len(wanted)} files hold"
    return Check("media", not bad, detail)


def _bases(directory: Path, store: Store) -> Iterator[Check]:
    index = directory / INDEX
    try:
        manifest = read_manifest(index)
    except FileNotFoundError:
        yield Check("index", False, f"there is no {CURRENT}")
        return
    except CollectionError as error:
        yield Check("index", False, str(error))
        return
    for modality, base in sorted(manifest.bases.items()):
        yield _check(base.file, partial(_compare_base, index, manifest, modality, store))


def _compare_base(
    index: Path, manifest: IndexManifest, modality: Modality, store: Store
) -> str:
    gallery = read_base(index, manifest, modality)
    rows = store.vector_rows(modality, manifest.model_id)
    stored = store.vectors(modality, manifest.model_id, gallery.dim)
    kept = np.isin(rows.seqs, gallery.seqs)
    if not kept[rows.seqs <= manifest.seq].all():
        raise CollectionError("stored vectors are missing from it")
    if not np.array_equal(stored[kept], gallery.vectors(rows.seqs[kept])):
        raise CollectionError("its vectors differ from the stored ones")
    return f"{len(gallery)} vectors, as stored"


def _answers(directory: Path, seed: int) -> Iterator[Check]:
    try:
        collection = Collection.open(directory)
    except CrossmodalError as error:
        yield Check("open", False, str(error))
        return
    with collection:
        yield Check("open", collection.degraded is None, collection.degraded or "ready")
        for modality in model_of(collection.bundle).modalities:
            name = f"search {modality}"
            judged = collection.view.judged(modality)
            if not len(judged):
                yield Check(name, True, "nothing stored")
                continue
            rng = np.random.default_rng(seed)
            rows = rng.permutation(len(judged))[:QUERIES]
            recall = recall_against_exact(
                collection.view, modality, judged.embeddings[rows], RECALL_AT
            )
            least = collection.least_recall(modality)
            detail = f"recall@{RECALL_AT} {recall:.4f} against brute force"
            if least < 1:
                detail += f", at least {least:.4f} expected"
            yield Check(name, recall >= least, f"{detail}, {len(rows)} queries")


def _check(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name, True, look())
    except CrossmodalError as error:
        return Check(name, False, str(error))


def _list(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_NAMED_AT_MOST])
    more = len(names) - _NAMED_AT_MOST
    return f"{shown} and {more} more" if more > 0 else shown
