"""Mappings from ids to what they stand for, held by column: a third of what dicts take."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, ValuesView
from functools import cached_property
from itertools import islice
from typing import Any, TypeVar

from index.views.items import StoredItem
from index.views.tally import Tally

Value = TypeVar("Value")
_AT_ONCE = 4096


class _ById(Mapping[str, Value]):
    """What stands in the place of an id; ids ascend, so that an id's place is searched."""

    _ids: Sequence[str]

    def _at(self, place: int) -> Value:
        raise NotImplementedError

    def __getitem__(self, item_id: str) -> Value:
        place = bisect_left(self._ids, item_id)
        if place == len(self._ids) or self._ids[place] != item_id:
            raise KeyError(item_id)
        return self._at(place)

    def __iter__(self) -> Iterator[str]:
        return iter(self._ids)

    def __len__(self) -> int:
        return len(self._ids)


class NumbersById(_ById[int]):
    """A number for each id."""

    def __init__(self, ids: Sequence[str], numbers: Iterable[int]) -> None:
        """Hold the numbers of ids, which ascend."""
        self._ids, self._numbers = ids, array("q", numbers)

    def _at(self, place: int) -> int:
        return self._numbers[place]


class ItemsById(_ById[StoredItem]):
    """Items by id; each is put together when it is asked for."""

    def __init__(self, items: Iterable[StoredItem] = ()) -> None:
        """Hold items, given with ids ascending."""
        ids: list[str] = []
        columns: list[Any] = [ids, array("q"), [], [], [], [], array("d")]
        left = iter(items)
        while part := list(islice(left, _AT_ONCE)):
            for column, values in zip(columns, zip(*part, strict=True), strict=True):
                column.extend(values)
        self._ids, self._columns = ids, columns

    def _at(self, place: int) -> StoredItem:
        return StoredItem(*[column[place] for column in self._columns])

    def values(self) -> ValuesView[StoredItem]:
        """Return the items, ids ascending."""
        return Walk(self, lambda: map(StoredItem, *self._columns))

    @cached_property
    def tally(self) -> Tally:
        """What the items bear."""
        return Tally.of(self.values())


class Walk(ValuesView[StoredItem]):
    """The items of a mapping, without looking each of them up."""

    def __init__(
        self, items: Mapping[str, StoredItem], walk: Callable[[], Iterator[StoredItem]]
    ) -> None:
        """Say how to walk through a mapping's items in its order."""
        super().__init__(items)
        self._walk = walk

    def __iter__(self) -> Iterator[StoredItem]:
        return self._walk()
