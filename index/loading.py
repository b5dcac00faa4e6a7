"""Loading: the store and the index files into a view.

Index files only save time. Whatever is wrong with them, the same view is made from the
store, and a writer replaces them.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import compress, product
from pathlib import Path
from typing import NamedTuple

import numpy as np

from crossmodal.embeddings import Embeddings
from crossmodal.errors import CollectionError, ModelMismatchError
from crossmodal.modality import Modality
from index.flat import FlatGallery
from index.items import StoredItem
from index.manifest import (
    CURRENT,
    IndexManifest,
    describe,
    publish,
    quarantine,
    read_base,
    read_manifest,
)
from index.shelf import Shelf
from index.store import Store, VectorGroup, VectorRows
from index.view import View

_log = logging.getLogger(__name__)


class Model(NamedTuple):
    """What a view needs to know of the bundle: its id, its width, what it encodes."""

    id: str
    dim: int
    modalities: tuple[Modality, ...]


class Loaded(NamedTuple):
    """A view, and why the index files did not serve, or None if they did."""

    view: View
    degraded: str | None


def load_view(store: Store, index: Path, model: Model, *, write: bool) -> Loaded:
    """Return the view of everything stored.

    Args:
        store: The truth.
        index: The directory of CURRENT and the bases.
        model: The bundle the collection must have been made with.
        write: Whether to replace index files that are missing, damaged or of another
            model; without it they stay, and the answer says why they did not serve.

    Raises:
        ModelMismatchError: If another bundle made the vectors.
        CollectionError: If the store itself is damaged.
    """
    unserved = _unserved(store.groups(), model)
    rows = {m: store.vector_rows(m, model.id) for m in model.modalities}
    degraded = None
    try:
        manifest = _read_current(index, model, store.seq, write=write)
        galleries = {
            m: _read_gallery(index, manifest, m, rows[m], write=write) for m in rows
        }
    except CollectionError as error:
        galleries = read_galleries(store, model)
        if write:
            manifest = publish(index, galleries, seq=store.seq, model_id=model.id)
            _log.warning("index rebuilt from the store: %s", error)
        else:
            manifest = describe(galleries, seq=store.seq, model_id=model.id)
            degraded = str(error)
            _log.warning("index not usable, searching the store instead: %s", error)
    items = _items(store, rows)
    shelves = {}
    for modality, found in rows.items():
        fresh = store.vectors(modality, model.id, model.dim, after=manifest.seq)
        shelves[modality] = _shelves(galleries[modality], found, fresh, items)
    view = View(
        seq=store.seq,
        version=_version(manifest, store.seq),
        model_id=model.id,
        dim=model.dim,
        items=items,
        shelves=shelves,
        unserved=unserved,
    )
    return Loaded(view, degraded)


def read_galleries(store: Store, model: Model) -> dict[Modality, FlatGallery]:
    """Return a gallery per modality of the model, from the stored vectors alone.

    Raises:
        CollectionError: If a stored vector is damaged.
    """
    return {
        modality: FlatGallery.of(
            store.vector_rows(modality, model.id).seqs,
            store.vectors(modality, model.id, model.dim),
        )
        for modality in model.modalities
    }


def _unserved(groups: Sequence[VectorGroup], model: Model) -> dict[str, int]:
    models = {group.model_id for group in groups}
    if models and model.id not in models:
        raise ModelMismatchError(
            f"the bundle has model id {model.id}, the stored vectors were made by "
            f"{', '.join(sorted(models))}; build the collection again with this bundle"
        )
    counts: dict[str, int] = {}
    for group in groups:
        if group.model_id != model.id or group.modality not in model.modalities:
            counts[group.modality] = counts.get(group.modality, 0) + group.vectors
    return counts


def _read_current(index: Path, model: Model, seq: int, *, write: bool) -> IndexManifest:
    try:
        manifest = read_manifest(index)
        if manifest.model_id != model.id:
            raise CollectionError(
                f"{CURRENT} is of model {manifest.model_id[:12]}…, not {model.id[:12]}…"
            )
        if manifest.seq > seq:  # an older database was put back: its seqs come again
            raise CollectionError(f"{CURRENT} is newer than the database")
        if set(manifest.bases) != set(model.modalities):
            raise CollectionError(f"{CURRENT} lists other modalities than the bundle")
        if any(base.dim != model.dim for base in manifest.bases.values()):
            raise CollectionError(f"{CURRENT} lists another width than the bundle's")
    except FileNotFoundError:
        raise CollectionError(f"there is no {CURRENT}") from None
    except CollectionError as error:
        if write:
            quarantine(index / CURRENT, str(error))
        raise
    return manifest


def _read_gallery(
    index: Path,
    manifest: IndexManifest,
    modality: Modality,
    rows: VectorRows,
    *,
    write: bool,
) -> FlatGallery:
    try:
        gallery = read_base(index, manifest, modality)
        older = rows.seqs[rows.seqs <= manifest.seq]
        if not np.isin(older, gallery.seqs).all():
            raise CollectionError(f"{manifest.bases[modality].file} lacks stored vectors")
    except CollectionError as error:
        path = index / manifest.bases[modality].file
        if write and path.parent == index and os.path.lexists(path):
            quarantine(path, str(error))
        raise
    return gallery


def _items(store: Store, rows: Mapping[Modality, VectorRows]) -> dict[str, StoredItem]:
    stored = store.items()
    modalities = sorted(rows)
    holders = [set(rows[modality].item_ids) for modality in modalities]
    present = zip(*([row.id in ids for row in stored] for ids in holders), strict=True)
    tuples = {
        flags: tuple(compress(modalities, flags))
        for flags in product((False, True), repeat=len(modalities))
    }
    return {
        row.id: StoredItem(
            row.id,
            row.seq,
            row.label,
            row.metadata,
            tuples[flags],
            row.media_sha256,
            row.created,
        )
        for row, flags in zip(stored, present, strict=True)
    }


def _shelves(
    base: FlatGallery,
    rows: VectorRows,
    fresh: Embeddings,
    items: Mapping[str, StoredItem],
) -> list[Shelf]:
    """Put rows of the base and fresh ones, which follow them, on a shelf each."""
    held = [items[item_id].id for item_id in rows.item_ids]  # share the strings
    cut = len(held) - len(fresh)
    shelves = [
        Shelf(base, rows.seqs[:cut], held[:cut], rows.starts_s[:cut], rows.ends_s[:cut])
    ]
    if len(fresh):
        tail = FlatGallery.of(rows.seqs[cut:], fresh)
        shelves.append(
            Shelf(tail, rows.seqs[cut:], held[cut:], rows.starts_s[cut:], rows.ends_s[cut:])
        )
    return shelves


def _version(manifest: IndexManifest, seq: int) -> str:
    content = json.dumps([asdict(manifest), seq], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:16]
