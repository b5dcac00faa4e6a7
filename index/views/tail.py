"""The tail: vectors written since the base was made, searched by comparing with each."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from jaxtyping import Float32, Float64, Int64

from crossmodal.embeddings import Embeddings
from crossmodal.items import Segment
from index.galleries.gallery import Candidates, Seqs, best, float32_error
from index.views.rows import Rows
from index.views.shelf import Shelf

_FIRST_CAPACITY = 64


class TailGallery:
    """Brute force in float32 over an array of vectors."""

    exact = True

    def __init__(self, seqs: Seqs, vectors: Embeddings) -> None:
        """Search these vectors; seqs ascend."""
        self.dim = vectors.shape[1]
        self.seqs = seqs
        self.error = float32_error(self.dim)
        self._vectors = vectors

    def __len__(self) -> int:
        """Return the number of vectors."""
        return len(self.seqs)

    def search(self, queries: Embeddings, count: int) -> Candidates:
        """Return the ``count`` best vectors of each query, or all if there are fewer."""
        return best(self.seqs, queries @ self._vectors.T, count)

    def vectors(self, seqs: Int64[np.ndarray, "wanted"]) -> Embeddings:
        """Return the vectors of these seqs, all of them present, in that order."""
        found: Embeddings = self._vectors[np.searchsorted(self.seqs, seqs)]
        return found


class Tail:
    """One modality's fresh rows, which one thread appends to.

    Its arrays have room to grow. A shelf that it gives shows their first rows, and what
    is appended afterwards lies behind those: nothing that a shelf shows ever changes.
    """

    def __init__(self, dim: int) -> None:
        self._size = 0
        self._seqs = np.empty(_FIRST_CAPACITY, dtype=np.int64)
        self._starts_s = np.empty(_FIRST_CAPACITY)
        self._ends_s = np.empty(_FIRST_CAPACITY)
        self._previous = np.empty(_FIRST_CAPACITY, dtype=np.int64)
        self._live = np.empty(_FIRST_CAPACITY, dtype=bool)
        self._vectors = np.empty((_FIRST_CAPACITY, dim), dtype=np.float32)
        self._item_ids: list[str] = []
        self._last: dict[str, int] = {}
        self._live_items: set[str] = set()
        self._shown: Shelf | None = None

    def __len__(self) -> int:
        return self._size

    def append(
        self, seq: int, item_id: str, segment: Segment, vector: Float32[np.ndarray, "dim"]
    ) -> None:
        """Add a vector; seqs ascend."""
        if self._size == len(self._seqs):
            self._grow()
        row = self._size
        self._seqs[row] = seq
        self._starts_s[row] = segment.start_s
        self._ends_s[row] = np.nan if segment.end_s is None else segment.end_s
        self._previous[row] = self._last.get(item_id, -1)
        self._live[row] = True
        self._vectors[row] = vector
        self._item_ids.append(item_id)
        self._last[item_id] = row
        self._live_items.add(item_id)
        self._size = row + 1
        self._shown = None

    def remove(self, item_id: str) -> None:
        """Let an item's rows be live no more; an id that is not here does not matter."""
        if item_id not in self._live_items:
            return
        self._live_items.remove(item_id)
        self._shown = None
        row = self._last[item_id]
        while row >= 0:
            self._live[row] = False
            row = int(self._previous[row])

    def shelf(self) -> Shelf:
        """Return what is here now; it stays as it is whatever is written later."""
        if self._shown is None:
            size = self._size
            seqs = self._seqs[:size]
            rows = Rows(
                seqs,
                self._item_ids,
                self._starts_s[:size],
                self._ends_s[:size],
                self._last.copy(),
                self._previous[:size],
            )
            gallery = TailGallery(seqs, self._vectors[:size])
            live = self._live[:size].copy()
            self._shown = Shelf(gallery, rows, live, len(self._live_items))
        return self._shown

    def after(self, seq: int) -> Tail:
        """Return a new tail of the live rows with numbers above ``seq``."""
        newer = Tail(self._vectors.shape[1])
        first = int(np.searchsorted(self._seqs[: self._size], seq, side="right"))
        for row in range(first, self._size):
            if self._live[row]:
                end_s = self._ends_s.item(row)
                segment = Segment(
                    self._starts_s.item(row), end_s if end_s == end_s else None
                )
                newer.append(
                    self._seqs.item(row), self._item_ids[row], segment, self._vectors[row]
                )
        return newer

    def extend(
        self,
        seqs: Seqs,
        item_ids: Iterable[str],
        starts_s: Float64[np.ndarray, "rows"],
        ends_s: Float64[np.ndarray, "rows"],
        vectors: Float32[np.ndarray, "rows dim"],
    ) -> None:
        """Add rows read from the store; an end of NaN is the end of the item."""
        for seq, item_id, start_s, end_s, vector in zip(
            seqs, item_ids, starts_s, ends_s, vectors, strict=True
        ):
            segment = Segment(float(start_s), float(end_s) if end_s == end_s else None)
            self.append(int(seq), item_id, segment, vector)

    def _grow(self) -> None:
        for name in ("_seqs", "_starts_s", "_ends_s", "_previous", "_live", "_vectors"):
            old = getattr(self, name)
            new = np.empty((2 * len(old), *old.shape[1:]), dtype=old.dtype)
            new[: len(old)] = old
            setattr(self, name, new)
