"""Loading: the store and the index files into a view.

Index files only save time. Whatever is wrong with them, the same view is made from the
store. What the store holds beyond the number of CURRENT is the tail; what it no longer
holds is deleted: the two are joined, so nothing has to be replayed.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from itertools import compress, product
from pathlib import Path
from typing import NamedTuple

import numpy as np

from crossmodal.errors import CollectionError, ModelMismatchError
from crossmodal.modality import Modality
from index.galleries.bases import BaseGallery, NumberedVectors
from index.galleries.flat import FlatGallery
from index.storage.store import LAST_SEQ, Store, VectorGroup, VectorRows
from index.views.by_id import ItemsById
from index.views.items import StoredItem
from index.views.manifest import (
    CURRENT,
    IndexManifest,
    describe,
    quarantine,
    read_base,
    read_manifest,
)
from index.views.rows import Rows
from index.views.shelf import Shelf
from index.views.tail import Tail
from index.views.view_builder import ViewBuilder

_log = logging.getLogger(__name__)


class Model(NamedTuple):
    """What a view needs to know of the bundle: its id, its width, what it encodes.

    ``beside`` is another model that may be served in its place: its vectors are expected.
    """

    id: str
    dim: int
    modalities: tuple[Modality, ...]
    beside: str | None = None


class Loaded(NamedTuple):
    """What makes views of everything stored, and why the index files did not serve.

    ``degraded`` is None if they did.
    """

    builder: ViewBuilder
    degraded: str | None


def load(store: Store, index: Path, model: Model, *, write: bool) -> Loaded:
    """Return what makes the views of everything stored; the first is made already.

    Args:
        store: The truth.
        index: The directory of CURRENT and the bases.
        model: The bundle the collection must have been made with.
        write: Whether to set index files aside that are damaged or of another model.

    Raises:
        ModelMismatchError: If another bundle made the vectors.
        CollectionError: If the store itself is damaged.
    """
    unserved = unserved_vectors(store.groups(), model)
    texts: dict[str, str] = {}
    rows = {m: store.vector_rows(m, model.id, texts=texts) for m in model.modalities}
    degraded = None
    try:
        manifest = _read_current(index, model, store.seq, write=write)
        galleries = {
            m: _read_gallery(index, manifest, m, rows[m], write=write) for m in rows
        }
    except CollectionError as error:
        galleries = read_galleries(store, model)
        manifest = describe(galleries, seq=store.seq, model_id=model.id)
        degraded = str(error)
        _log.warning("index not usable, searching the store instead: %s", error)
    items = _items(store, rows, texts)
    shelves: dict[Modality, Shelf] = {}
    tails = {}
    for modality, found in rows.items():
        cut = int(np.searchsorted(found.seqs, manifest.seq, side="right"))
        like = next((shelf.rows for shelf in shelves.values()), None)
        shelves[modality] = Shelf.of(galleries[modality], rows_of(found, items, cut, like))
        tails[modality] = Tail(model.dim)
        tails[modality].extend(
            found.seqs[cut:],
            (items[item_id].id for item_id in found.item_ids[cut:]),
            found.starts_s[cut:],
            found.ends_s[cut:],
            store.vectors(modality, model.id, model.dim, after=manifest.seq),
        )
    builder = ViewBuilder(
        manifest,
        model.dim,
        seq=store.seq,
        items=items,
        bases=shelves,
        tails=tails,
        unserved=unserved,
    )
    return Loaded(builder, degraded)


def rows_of(
    found: VectorRows,
    items: ItemsById,
    count: int,
    like: Rows | None = None,
) -> Rows:
    """Return the first rows of those found, sharing the items' own ids.

    Args:
        found: What the store holds.
        items: The items they belong to.
        count: How many rows.
        like: Another modality's rows, to share with it what is equal.
    """
    held = [items[item_id].id for item_id in found.item_ids[:count]]
    starts_s, ends_s = found.starts_s[:count], found.ends_s[:count]
    return Rows.of(found.seqs[:count], held, starts_s, ends_s, like)


def read_galleries(store: Store, model: Model) -> dict[Modality, BaseGallery]:
    """Return a gallery per modality that compares with every stored vector.

    Raises:
        CollectionError: If a stored vector is damaged.
    """
    found = read_vectors(store, model)
    return {modality: FlatGallery.of(*vectors) for modality, vectors in found.items()}


def read_vectors(
    store: Store, model: Model, *, up_to: int = LAST_SEQ
) -> dict[Modality, NumberedVectors]:
    """Return the vectors of each modality of the model, as stored.

    Raises:
        CollectionError: If a stored vector is damaged.
    """
    return {
        modality: NumberedVectors(
            store.vector_rows(modality, model.id, up_to=up_to).seqs,
            store.vectors(modality, model.id, model.dim, up_to=up_to),
        )
        for modality in model.modalities
    }


def unserved_vectors(groups: Sequence[VectorGroup], model: Model) -> dict[str, int]:
    """Count the vectors of other models or modalities, by the modality's name.

    Raises:
        ModelMismatchError: If there are vectors, and none is of the model.
    """
    groups = [group for group in groups if group.model_id != model.beside]
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
) -> BaseGallery:
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


def _items(
    store: Store, rows: Mapping[Modality, VectorRows], texts: dict[str, str]
) -> ItemsById:
    modalities = sorted(rows)
    holders = [set(rows[modality].item_ids) for modality in modalities]
    tuples = {
        flags: tuple(compress(modalities, flags))
        for flags in product((False, True), repeat=len(modalities))
    }
    return ItemsById(
        StoredItem(
            row.id,
            row.seq,
            row.label,
            row.metadata,
            tuples[tuple([row.id in ids for ids in holders])],
            row.media_sha256,
            row.created,
        )
        for row in store.items(texts)
    )
