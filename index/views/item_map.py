"""The items of a view: a part that stays, and what was written since."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, ValuesView
from functools import cached_property
from heapq import merge
from operator import attrgetter

from index.views.by_id import ItemsById, Walk
from index.views.items import StoredItem
from index.views.tally import Tally


class ItemMap(Mapping[str, StoredItem]):
    """Items by id, ids ascending; never changed once made.

    A successor shares the part that stays, so making one costs as much as was written
    since, not as much as is stored. Only walking through it costs more.
    """

    def __init__(
        self,
        kept: ItemsById,
        changed: Mapping[str, StoredItem | None] | None = None,
        size: int | None = None,
    ) -> None:
        """Hold items.

        Args:
            kept: The part that stays.
            changed: What became of ids since; None for those deleted.
            size: How many items that makes; not needed if nothing changed.
        """
        self._kept = kept
        self._changed = changed or {}
        self._size = len(kept) if size is None else size

    def __getitem__(self, item_id: str) -> StoredItem:
        if item_id in self._changed:
            item = self._changed[item_id]
            if item is None:
                raise KeyError(item_id)
            return item
        return self._kept[item_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._ids)

    def __len__(self) -> int:
        return self._size

    def values(self) -> ValuesView[StoredItem]:
        """Return the items, ids ascending."""
        return Walk(self, self._walk)

    def after(self, changes: Mapping[str, StoredItem | None]) -> ItemMap:
        """Return what is there after these changes; None deletes an id."""
        size = self._size + sum(
            (item is not None) - (item_id in self) for item_id, item in changes.items()
        )
        return ItemMap(self._kept, {**self._changed, **changes}, size)

    def whole(self) -> ItemsById:
        """Return everything as a part that stays."""
        return ItemsById(self.values()) if self._changed else self._kept

    @cached_property
    def tally(self) -> Tally:
        """What the items bear, counted from what was written since."""
        if not self._changed:
            return self._kept.tally
        gone = (self._kept.get(item_id) for item_id in self._changed)
        return self._kept.tally.after(
            gone=Tally.of(item for item in gone if item is not None),
            come=Tally.of(self._written()),
        )

    @cached_property
    def _ids(self) -> Sequence[str]:
        if not self._changed:
            return list(self._kept)
        kept = [item_id for item_id in self._kept if item_id not in self._changed]
        return sorted([*kept, *(item.id for item in self._written())])

    def _written(self) -> Iterator[StoredItem]:
        return (item for item in self._changed.values() if item is not None)

    def _walk(self) -> Iterator[StoredItem]:
        if not self._changed:
            return iter(self._kept.values())
        kept = (item for item in self._kept.values() if item.id not in self._changed)
        by_id = attrgetter("id")
        return merge(kept, sorted(self._written(), key=by_id), key=by_id)
