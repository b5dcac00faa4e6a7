"""Shelves: a gallery beside what its vectors belong to, minus what was deleted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice

import numpy as np
from jaxtyping import Bool, Int64

from crossmodal.embeddings import Embeddings
from crossmodal.items import Segment
from index.galleries.gallery import Gallery, Seqs
from index.galleries.selection import Selection
from index.views.rows import Rows

FEW = 8  # one vector in so many: gathering them is then cheaper than comparing all


@dataclass(frozen=True)
class Shelf:
    """A gallery, its rows, and which of them are live. Not to be changed.

    An item that was deleted lives on in the gallery, where nothing is ever changed, and
    is kept out of every answer by ``live``. Vectors of the gallery that have no row were
    deleted before the rows were read. An item's rows live and die together; of an id
    that was stored several times only the last rows can be live.
    """

    gallery: Gallery
    rows: Rows
    live: Bool[np.ndarray, "rows"]
    item_count: int

    @classmethod
    def of(cls, gallery: Gallery, rows: Rows) -> Shelf:
        """Return a shelf on which every row is live."""
        if np.array_equal(gallery.seqs, rows.seqs):
            rows = replace(rows, seqs=gallery.seqs)  # kept once, and looked up in once
        return cls(gallery, rows, np.ones(len(rows), dtype=bool), len(rows.last))

    def __len__(self) -> int:
        return self._live_count

    @cached_property
    def _live_count(self) -> int:
        return int(np.count_nonzero(self.live))

    def __contains__(self, item_id: str) -> bool:
        row = self.rows.last.get(item_id, -1)
        return row >= 0 and bool(self.live[row])

    @property
    def seqs(self) -> Seqs:
        """The number of every row, live or not."""
        return self.rows.seqs

    @property
    def item_ids(self) -> Sequence[str]:
        """The item of every row, live or not."""
        return self.rows.item_ids

    def ids(self) -> list[str]:
        """Return the id of every live item here, each once."""
        live = self.live
        return [item_id for item_id, row in self.rows.last.items() if live[row]]

    def rows_of(self, item_id: str) -> list[int]:
        """Return the live rows of an item, ascending; none if it is not here."""
        return [row for row in self.rows.chain(item_id) if self.live[row]]

    def live_rows(self, seqs: Int64[np.ndarray, "found"]) -> Int64[np.ndarray, "live"]:
        """Return the row of each seq that is live."""
        rows = np.searchsorted(self.seqs, seqs)
        if not len(self.rows):
            return rows[:0]
        rows[rows == len(self.rows)] = 0
        live: np.ndarray = rows[(self.seqs[rows] == seqs) & self.live[rows]]
        return live

    def vectors(self, rows: Int64[np.ndarray, "wanted"]) -> Embeddings:
        """Return the vectors of these rows."""
        return self.gallery.vectors(self.seqs[rows])

    def segments(self, rows: Sequence[int]) -> list[Segment]:
        """Return where in its item each row lies."""
        return self.rows.segments(rows)

    def only(self, item_ids: Iterable[str]) -> Shelf:
        """Return the shelf with no other items live than these.

        Where they are few, or the gallery does not compare with every vector, exactly
        theirs are compared with: however few they are, none is missed.
        """
        wanted, ids = set(item_ids), self.item_ids
        admitted = (item_id in wanted for item_id in islice(ids, len(self.live)))
        live = self.live & np.fromiter(admitted, dtype=bool, count=len(self.live))
        rows = np.flatnonzero(live)
        gallery = self.gallery
        if not gallery.exact or len(rows) * FEW < len(gallery):
            gallery = Selection(gallery, self.seqs[rows])
        return Shelf(gallery, self.rows, live, len({ids[row] for row in rows.tolist()}))

    def without(self, item_ids: Iterable[str]) -> Shelf:
        """Return the shelf with these items dead; ids that are not here do not matter."""
        gone = [item_id for item_id in set(item_ids) if item_id in self]
        if not gone:
            return self
        live = self.live.copy()
        for item_id in gone:
            live[self.rows.chain(item_id)] = False
        return replace(self, live=live, item_count=self.item_count - len(gone))
