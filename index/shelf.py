"""Shelves: a gallery beside what its vectors belong to, minus what was deleted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float64, Int64

from crossmodal.embeddings import Embeddings
from crossmodal.items import Segment
from index.gallery import Gallery, Seqs


@dataclass(frozen=True)
class Shelf:
    """A gallery and the live ones of its vectors, by ascending seq.

    Vectors of the gallery that are not listed were deleted after it was made. An end of
    NaN means to the end of the item. Not to be changed.
    """

    gallery: Gallery
    seqs: Seqs
    item_ids: Sequence[str]
    starts_s: Float64[np.ndarray, "rows"]
    ends_s: Float64[np.ndarray, "rows"]

    def __len__(self) -> int:
        return len(self.item_ids)

    def __contains__(self, item_id: str) -> bool:
        return item_id in self._last_rows

    @property
    def item_count(self) -> int:
        """How many items have a vector here."""
        return len(self._last_rows)

    def ids(self) -> list[str]:
        """Return the id of every item here, each once."""
        return list(self._last_rows)

    def rows_of(self, item_id: str) -> list[int]:
        """Return the rows of an item, ascending; none if it is not here."""
        rows = []
        row = self._last_rows.get(item_id, -1)
        while row >= 0:
            rows.append(row)
            row = int(self._previous_rows[row])
        return rows[::-1]

    def live_rows(self, seqs: Int64[np.ndarray, "found"]) -> Int64[np.ndarray, "live"]:
        """Return the row of each seq that is live."""
        rows = np.searchsorted(self.seqs, seqs)
        if not len(self):
            return rows[:0]
        rows[rows == len(self)] = 0
        live: np.ndarray = rows[self.seqs[rows] == seqs]
        return live

    def vectors(self, rows: Int64[np.ndarray, "wanted"]) -> Embeddings:
        """Return the vectors of these rows."""
        return self.gallery.vectors(self.seqs[rows])

    def segment(self, row: int) -> Segment:
        """Return where in its item the row lies."""
        start_s, end_s = self.starts_s.item(row), self.ends_s.item(row)
        return Segment(start_s, end_s if end_s == end_s else None)

    @cached_property
    def _last_rows(self) -> Mapping[str, int]:
        return dict(zip(self.item_ids, range(len(self)), strict=True))

    @cached_property
    def _previous_rows(self) -> Int64[np.ndarray, "rows"]:
        """The row before each row that belongs to the same item, -1 for none."""
        previous = np.full(len(self), -1)
        if len(self._last_rows) < len(self):
            seen: dict[str, int] = {}
            for row, item_id in enumerate(self.item_ids):
                previous[row] = seen.get(item_id, -1)
                seen[item_id] = row
        return previous
