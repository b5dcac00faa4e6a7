"""The items of a view: a part that stays, and what was written since."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, KeysView, Mapping, ValuesView
from functools import cached_property

from index.items import StoredItem


class ItemMap(Mapping[str, StoredItem]):
    """Items by id, ids ascending; never changed once made.

    A successor shares the part that stays, so making one costs as much as was written
    since, not as much as is stored. The ordered whole is put together when someone first
    walks through it.
    """

    def __init__(
        self,
        kept: Mapping[str, StoredItem],
        changed: Mapping[str, StoredItem | None] | None = None,
        size: int | None = None,
    ) -> None:
        """Hold items.

        Args:
            kept: Items with ids ascending.
            changed: What became of ids since; None for those deleted.
            size: How many items that makes, counted if not given.
        """
        self._kept = kept
        self._changed = changed or {}
        self._size = len(self.whole) if size is None else size

    def __getitem__(self, item_id: str) -> StoredItem:
        if item_id in self._changed:
            item = self._changed[item_id]
            if item is None:
                raise KeyError(item_id)
            return item
        return self._kept[item_id]

    def __contains__(self, item_id: object) -> bool:
        if item_id in self._changed:
            return self._changed[item_id] is not None  # type: ignore[index]
        return item_id in self._kept

    def __iter__(self) -> Iterator[str]:
        return iter(self.whole)

    def __len__(self) -> int:
        return self._size

    def keys(self) -> KeysView[str]:
        """Return the ids, ascending."""
        return self.whole.keys()

    def values(self) -> ValuesView[StoredItem]:
        """Return the items, ids ascending."""
        return self.whole.values()

    def items(self) -> ItemsView[str, StoredItem]:
        """Return ids and items, ids ascending."""
        return self.whole.items()

    @cached_property
    def whole(self) -> Mapping[str, StoredItem]:
        """Everything in one mapping, ids ascending."""
        if not self._changed:
            return self._kept
        merged = {**self._kept, **self._changed}
        return {
            item_id: item
            for item_id in sorted(merged)
            if (item := merged[item_id]) is not None
        }

    def after(self, changes: Mapping[str, StoredItem | None]) -> ItemMap:
        """Return what is there after these changes; None deletes an id."""
        size = self._size + sum(
            (item is not None) - (item_id in self) for item_id, item in changes.items()
        )
        return ItemMap(self._kept, {**self._changed, **changes}, size)
