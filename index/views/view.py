"""The view: what a search sees of a collection, whole and unchanging, under one seq."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np

from crossmodal.embeddings import Embeddings, check_unit, normalize
from crossmodal.errors import ConfigError, ModalityError, ShapeError, UnknownItemError
from crossmodal.metrics.judged import Judged
from crossmodal.modality import Modality
from index.views.filters import Filter
from index.views.item_map import ItemMap
from index.views.items import StoredItem
from index.views.ranking import Hit, Request, rank
from index.views.shelf import Shelf
from index.views.tally import by_name

GroupBy = Literal["item", "segment"]
FILTERS_REMEMBERED = 16  # pages of one search come with the same filter


class Page(NamedTuple):
    """Some items, ids ascending, and the cursor of the next page or None at the end."""

    items: Sequence[StoredItem]
    next_cursor: str | None


@dataclass(frozen=True)
class View:
    """A snapshot of a collection: items and, per modality, the shelves of its gallery.

    Writers make a new view and replace one reference; whoever holds a view keeps
    reading the same state. Not to be changed.

    Attributes:
        seq: The last write it contains.
        version: Short digest of the vectors and the model; equal for equal content.
        model_id: The bundle that made its vectors.
        dim: Width of every vector.
        items: Every item by id, ids ascending.
        shelves: Per modality the base and, where there are fresh items, the tail.
        unserved: Vectors that are stored but cannot be searched, by modality name:
            this build or the bundle lacks it, or another model made them.
    """

    seq: int
    version: str
    model_id: str
    dim: int
    items: ItemMap
    shelves: Mapping[Modality, Sequence[Shelf]]
    unserved: Mapping[str, int]

    @cached_property
    def sizes(self) -> Mapping[Modality, int]:
        """How many items each modality's gallery holds."""
        return {m: sum(s.item_count for s in part) for m, part in self.shelves.items()}

    @cached_property
    def segments(self) -> Mapping[Modality, int]:
        """How many vectors each modality's gallery holds."""
        return {m: sum(len(s) for s in part) for m, part in self.shelves.items()}

    @cached_property
    def labels(self) -> Mapping[str, int]:
        """How many items bear each label, labels ascending."""
        return by_name(self.items.tally.labels)

    @cached_property
    def splits(self) -> Mapping[str, int]:
        """How many items belong to each split, names ascending."""
        return by_name(self.items.tally.splits)

    def search(
        self,
        gallery: Modality,
        queries: Embeddings,
        k: int,
        *,
        offset: int = 0,
        exclude: Collection[str] = (),
        mask: Sequence[int] = (),
        group: GroupBy = "item",
        exact: bool = False,
        filter: Filter | None = None,
    ) -> list[list[Hit]]:
        """Return the best hits of each query in one modality's gallery.

        Hits are sorted by (-score, item id), scores rounded to 9 decimals; there are
        fewer than ``k`` where the gallery ends.

        Args:
            gallery: The modality to search in.
            queries: Unit-norm rows.
            k: How many hits, from 1 up.
            offset: How many of the best to leave out.
            exclude: Ids never to return; they take no place.
            mask: Dimensions of the queries to set to zero.
            group: Whether an item has one place, by its best segment, or each of its
                segments has one.
            exact: Whether to find candidates by float64 brute force.
            filter: Search only among the items that it admits by their label and
                metadata in this view, and never by an approximate gallery: no item that
                it admits is missed, however few they are.

        Raises:
            ModalityError: If there is no such gallery.
            ShapeError: If a query's width or norm is wrong, or the mask is.
            ConfigError: If ``k`` or ``offset`` is out of range.
        """
        shelves = self._shelves(gallery)
        if filter is not None:
            shelves = self._admitted(gallery, filter)
        if k < 1 or offset < 0:
            raise ConfigError(f"expected k >= 1 and offset >= 0, got {k} and {offset}")
        request = Request(
            k=k, offset=offset, exclude=exclude, by_segment=group == "segment", exact=exact
        )
        return rank(shelves, self._masked(queries, mask), request)

    def item(self, item_id: str) -> StoredItem:
        """Return a stored item.

        Raises:
            UnknownItemError: If none bears the id.
        """
        try:
            return self.items[item_id]
        except KeyError:
            raise UnknownItemError("no stored item bears this id") from None

    def vectors(self, item_id: str, modality: Modality) -> Embeddings:
        """Return an item's vectors of one modality as (segments, dim), in stored order.

        Raises:
            UnknownItemError: If the item or its vector is not stored.
            ModalityError: If there is no such gallery.
        """
        item = self.item(item_id)
        for shelf in self._shelves(modality):
            if rows := shelf.rows_of(item.id):
                return shelf.vectors(np.array(rows))
        raise UnknownItemError(f"this item has no {modality} vector")

    def page(self, cursor: str | None = None, limit: int = 100) -> Page:
        """Return items by ascending id, those after the cursor.

        Args:
            cursor: The ``next_cursor`` of the page before; None for the first.
            limit: How many items at most.
        """
        start = 0 if cursor is None else bisect_right(self._ids, cursor)
        ids = self._ids[start : start + limit]
        more = bool(ids) and start + limit < len(self._ids)
        return Page([self.items[item_id] for item_id in ids], ids[-1] if more else None)

    def judged(self, modality: Modality, split: str | None = None) -> Judged:
        """Return one modality's live vectors for evaluation, ids ascending.

        An item with several segments counts once, by their unit-norm mean.

        Args:
            modality: The gallery.
            split: Take only the items of this split; None or ``all`` takes every item.

        Raises:
            ModalityError: If there is no such gallery.
        """
        shelves = self._shelves(modality)
        held = sorted(item_id for shelf in shelves for item_id in shelf.ids())
        ids = [
            item_id for item_id in held if split in (None, "all", self.items[item_id].split)
        ]
        embeddings = np.empty((len(ids), self.dim), dtype=np.float32)
        for number, item_id in enumerate(ids):
            vectors = self.vectors(item_id, modality)
            embeddings[number] = (
                vectors[0] if len(vectors) == 1 else normalize(vectors.mean(0)[None])[0]
            )
        labels = [self.items[item_id].label for item_id in ids]
        pairs = [self.items[item_id].pair for item_id in ids]
        return Judged(
            ids=ids,
            embeddings=embeddings,
            labels=labels if any(label is not None for label in labels) else None,
            pairs=pairs if any(pair is not None for pair in pairs) else None,
        )

    def _admitted(self, gallery: Modality, wanted: Filter) -> Sequence[Shelf]:
        """Return the shelves of what a filter admits; the last few are remembered."""
        key = (gallery, repr(wanted))  # 1 == True in Python, not in a filter
        known = self._filtered.get(key)
        if known is None:
            admits = wanted.admits
            ids = [i.id for i in self.items.values() if admits(i.label, i.metadata)]
            known = [shelf.only(ids) for shelf in self._shelves(gallery)]
            if len(self._filtered) >= FILTERS_REMEMBERED:
                self._filtered.clear()
            self._filtered[key] = known
        return known

    @cached_property
    def _filtered(self) -> dict[tuple[Modality, str], list[Shelf]]:
        return {}

    @cached_property
    def _ids(self) -> Sequence[str]:
        return list(self.items)

    def _shelves(self, modality: Modality) -> Sequence[Shelf]:
        try:
            return self.shelves[modality]
        except KeyError:
            raise ModalityError(
                f"there is no {modality} gallery, only {', '.join(sorted(self.shelves))}"
            ) from None

    def _masked(self, queries: Embeddings, mask: Sequence[int]) -> Embeddings:
        if queries.ndim != 2 or queries.shape[1] != self.dim:
            raise ShapeError(f"expected queries (n, {self.dim}), got {queries.shape}")
        check_unit(queries)
        if not mask:
            return queries
        if min(mask) < 0 or max(mask) >= self.dim:
            raise ShapeError(f"expected mask dimensions from 0 to {self.dim - 1}")
        masked = queries.copy()
        masked[:, list(mask)] = 0
        return masked
