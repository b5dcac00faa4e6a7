"""Building views: the next one from the one before and what was written since."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32

from crossmodal.items import Segment
from crossmodal.modality import Modality
from index.views.by_id import ItemsById
from index.views.item_map import ItemMap
from index.views.items import StoredItem
from index.views.manifest import IndexManifest
from index.views.shelf import Shelf
from index.views.tail import Tail
from index.views.view import View


class FreshVector(NamedTuple):
    """A stored vector that no base holds yet."""

    seq: int
    modality: Modality
    segment: Segment
    embedding: Float32[np.ndarray, "dim"]


class Change(NamedTuple):
    """What became of one id: another item with its searchable vectors, or none."""

    item_id: str
    item: StoredItem | None
    vectors: tuple[FreshVector, ...] = ()


@dataclass(frozen=True, slots=True)
class NewBase:
    """Bases made of everything stored up to the seq of a view, and that view's items."""

    manifest: IndexManifest
    shelves: Mapping[Modality, Shelf]
    items: ItemsById


class ViewBuilder:
    """Holds the newest view and makes its successors; used by one thread at a time.

    A view shares with its successor all that was not touched. What a view shows is never
    changed: tails grow behind what it shows, deletions copy the list of what is live.
    """

    def __init__(
        self,
        manifest: IndexManifest,
        dim: int,
        *,
        seq: int,
        items: ItemsById,
        bases: Mapping[Modality, Shelf],
        tails: Mapping[Modality, Tail],
        unserved: Mapping[str, int],
    ) -> None:
        """Begin with what was loaded, and make its view."""
        self._manifest = manifest
        self._dim = dim
        self._items = ItemMap(items)
        self._bases = dict(bases)
        self._tails = dict(tails)
        self._unserved = unserved
        self._since: dict[str, StoredItem | None] | None = None
        self.view = self._view(seq)

    @property
    def items(self) -> ItemMap:
        """The items of the newest view."""
        return self._items

    @property
    def manifest(self) -> IndexManifest:
        """What the newest view's bases are."""
        return self._manifest

    def gallery_facts(self) -> dict[str, dict[str, object]]:
        """Return per modality what its base is and what was written since, for people."""
        return {
            modality: {
                "kind": base.kind,
                "vectors": base.count,
                "recall": base.recall,
                "tail": len(self._tails[modality]),
                "deleted": base.count - len(self._bases[modality]),
            }
            for modality, base in sorted(self._manifest.bases.items())
        }

    @property
    def tail_size(self) -> int:
        """How many vectors the longest tail holds, deleted ones too."""
        return max(map(len, self._tails.values()), default=0)

    @property
    def deleted_share(self) -> float:
        """The largest part of a base that was deleted since it was made."""
        return max(
            (1 - len(s) / len(s.gallery) for s in self._bases.values() if len(s.gallery)),
            default=0.0,
        )

    def advance(
        self, changes: Iterable[Change], seq: int, unserved: Mapping[str, int] | None = None
    ) -> View:
        """Return the view after these changes, in their order; it contains writes to seq.

        Args:
            changes: What was committed.
            seq: The last number given.
            unserved: Counts of vectors that cannot be searched, if they changed.
        """
        latest: dict[str, StoredItem | None] = {}
        for item_id, item, vectors in changes:
            latest[item_id] = item
            for tail in self._tails.values():
                tail.remove(item_id)
            for vector in vectors:
                self._tails[vector.modality].append(
                    vector.seq, item_id, vector.segment, vector.embedding
                )
        for modality, base in self._bases.items():
            self._bases[modality] = base.without(latest)
        self._items = self._items.after(latest)
        if self._since is not None:
            self._since.update(latest)
        if unserved is not None:
            self._unserved = unserved
        self.view = self._view(seq)
        return self.view

    def remember_changes(self) -> tuple[View, ItemMap]:
        """Return the newest view with its items, and keep track of what changes after it.

        `rebase` then takes bases made of that view.
        """
        self._since = {}
        return self.view, self._items

    def forget_changes(self) -> None:
        """Stop keeping track: no base will come."""
        self._since = None

    def rebase(self, base: NewBase) -> View:
        """Return the newest view again, on bases made of what was remembered from."""
        since = self._since or {}
        self._since = None
        self._manifest = base.manifest
        self._items = ItemMap(base.items).after(since)
        self._bases = {m: shelf.without(since) for m, shelf in base.shelves.items()}
        self._tails = {m: t.after(base.manifest.seq) for m, t in self._tails.items()}
        self.view = self._view(self.view.seq)
        return self.view

    def _view(self, seq: int) -> View:
        shelves = {
            modality: [base]
            + [tail.shelf() for tail in (self._tails[modality],) if len(tail)]
            for modality, base in self._bases.items()
        }
        return View(
            seq=seq,
            version=_version(self._manifest, seq),
            model_id=self._manifest.model_id,
            dim=self._dim,
            items=self._items,
            shelves=shelves,
            unserved=self._unserved,
        )


def _version(manifest: IndexManifest, seq: int) -> str:
    content = json.dumps([asdict(manifest), seq], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:16]
