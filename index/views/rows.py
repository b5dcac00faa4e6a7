"""Rows: what each vector of a gallery belongs to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from crossmodal.items import Segment
from index.galleries.gallery import Seqs
from index.views.by_id import NumbersById


@dataclass(frozen=True)
class Rows:
    """The item and the stretch of each vector, by ascending seq. Not to be changed.

    Attributes:
        seqs: The number of each vector.
        item_ids: The item of each; what it may hold beyond the last seq does not count.
        starts_s: Where in the item each begins.
        ends_s: Where each ends; NaN for the end of the item.
        last: The last row of each item.
        previous: The row before each row that bears the same id, -1 for none.
    """

    seqs: Seqs
    item_ids: Sequence[str]
    starts_s: Float64[np.ndarray, "rows"]
    ends_s: Float64[np.ndarray, "rows"]
    last: Mapping[str, int]
    previous: Int64[np.ndarray, "rows"]

    @classmethod
    def of(
        cls,
        seqs: Seqs,
        item_ids: Sequence[str],
        starts_s: Float64[np.ndarray, "rows"],
        ends_s: Float64[np.ndarray, "rows"],
        like: Rows | None = None,
    ) -> Rows:
        """Return rows with what follows from their ids.

        Args:
            seqs: The number of each vector.
            item_ids: The item of each.
            starts_s: Where in the item each begins.
            ends_s: Where each ends; NaN for the end of the item.
            like: Rows that may be of the same items in the same order, as those of
                another modality; what follows from the ids is then held once.
        """
        if like is not None and like.item_ids == item_ids:
            if np.array_equal(like.starts_s, starts_s):
                starts_s = like.starts_s
            if np.array_equal(like.ends_s, ends_s, equal_nan=True):
                ends_s = like.ends_s
            return cls(seqs, like.item_ids, starts_s, ends_s, like.last, like.previous)
        if len(item_ids) != len(seqs):
            raise ValueError(f"{len(seqs)} rows, but {len(item_ids)} ids")
        previous = np.full(len(seqs), -1)
        ids: list[str] = []
        last: list[int] = []
        for row in sorted(range(len(seqs)), key=item_ids.__getitem__):
            if ids and ids[-1] == item_ids[row]:
                previous[row] = last[-1]
                last[-1] = row
            else:
                ids.append(item_ids[row])
                last.append(row)
        return cls(seqs, item_ids, starts_s, ends_s, NumbersById(ids, last), previous)

    def __len__(self) -> int:
        return len(self.seqs)

    def chain(self, item_id: str) -> list[int]:
        """Return every row that bears an id, ascending; none if no row does."""
        found = []
        row = self.last.get(item_id, -1)
        while row >= 0:
            found.append(row)
            row = int(self.previous[row])
        return found[::-1]

    def segments(self, rows: Sequence[int]) -> list[Segment]:
        """Return where in its item each row lies."""
        starts_s, ends_s = self.starts_s[rows].tolist(), self.ends_s[rows].tolist()
        return [
            Segment(start_s, end_s if end_s == end_s else None)
            for start_s, end_s in zip(starts_s, ends_s, strict=True)
        ]
