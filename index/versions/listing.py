"""Versions: the models whose vectors a collection holds, and how far each one is."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from crossmodal.bundle import Bundle
from crossmodal.errors import BundleError, CollectionError
from index.collection import Collection
from index.storage.model_vectors import count_embedded, count_items, count_vectors
from index.versions.beside import BESIDE, INDEX, open_beside, was_used
from index.views.manifest import IndexManifest, read_manifest


class Role(StrEnum):
    """What a version is for."""

    CURRENT = "current"
    PREVIOUS = "previous"  # was served before, and can be again
    NEXT = "next"  # was never served


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One model's vectors of the items that are stored.

    Attributes:
        role: What it is for.
        model_id: The bundle's.
        method: How the bundle was trained.
        dim: The width of its vectors.
        seq: Up to which write its index files reach; None without any.
        items: How many items have vectors of it.
        lacking: How many have none: still to be embedded, or without media.
        vectors: How many there are, by modality.
        index: What its index files are, by modality.
    """

    role: Role
    model_id: str
    method: str
    dim: int
    seq: int | None
    items: int
    lacking: int
    vectors: Mapping[str, int]
    index: Mapping[str, Mapping[str, Any]]


def versions(collection: Collection) -> list[Version]:
    """Return the version that is served, and the one beside it if there is one.

    Raises:
        CollectionError: If the database cannot be read.
    """
    view, bundle = collection.view, collection.bundle
    served = sum(bool(item.modalities) for item in view.items.values())
    current = Version(
        role=Role.CURRENT,
        model_id=bundle.model_id,
        method=bundle.manifest.method,
        dim=bundle.manifest.dim,
        seq=collection.index_manifest.seq,
        items=served,
        lacking=len(view.items) - served,
        vectors={str(modality): count for modality, count in view.segments.items()},
        index=_facts(collection.index_manifest),
    )
    beside = None
    if collection.writable:  # who only reads could never pass to it
        with suppress(BundleError):
            beside = open_beside(collection.directory)
    return [current] if beside is None else [current, _beside(collection, beside)]


def _beside(collection: Collection, bundle: Bundle) -> Version:
    with collection.open_beside_writer() as store, store.snapshot():
        items = count_embedded(store, bundle.model_id)
        lacking = count_items(store) - items
        vectors = count_vectors(store, bundle.model_id)
    try:
        manifest = read_manifest(collection.directory / BESIDE / INDEX)
    except (FileNotFoundError, CollectionError):
        manifest = None
    return Version(
        role=Role.PREVIOUS if was_used(collection.directory) else Role.NEXT,
        model_id=bundle.model_id,
        method=bundle.manifest.method,
        dim=bundle.manifest.dim,
        seq=manifest.seq if manifest else None,
        items=items,
        lacking=lacking,
        vectors=vectors,
        index=_facts(manifest) if manifest else {},
    )


def _facts(manifest: IndexManifest) -> dict[str, dict[str, Any]]:
    return {
        str(modality): {"kind": base.kind, "vectors": base.count, "recall": base.recall}
        for modality, base in sorted(manifest.bases.items())
    }
