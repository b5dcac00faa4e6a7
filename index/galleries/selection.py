"""Selections: some vectors of a gallery, each of them compared with."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int64

from crossmodal.embeddings import Embeddings
from index.galleries.gallery import Candidates, Gallery, Seqs, best, float32_error

_CELLS = 4_000_000  # float32 numbers gathered at once: 16 MB


class Selection:
    """Brute force in float32 over some vectors of another gallery, which stay there."""

    exact = True

    def __init__(self, gallery: Gallery, seqs: Seqs) -> None:
        """Select vectors; seqs ascend, and the gallery holds all of them."""
        self.dim = gallery.dim
        self.seqs = seqs
        self.error = float32_error(gallery.dim)
        self._gallery = gallery

    def __len__(self) -> int:
        """Return the number of vectors."""
        return len(self.seqs)

    def search(self, queries: Embeddings, count: int) -> Candidates:
        """Return the ``count`` best vectors of each query, or all if there are fewer."""
        scores = np.empty((len(queries), len(self)), dtype=np.float32)
        step = max(1, _CELLS // self.dim)
        for start in range(0, len(self), step):
            part = self._gallery.vectors(self.seqs[start : start + step])
            scores[:, start : start + step] = queries @ part.T
        return best(self.seqs, scores, count)

    def vectors(self, seqs: Int64[np.ndarray, "wanted"]) -> Embeddings:
        """Return the vectors of these seqs, all of them present, in that order."""
        return self._gallery.vectors(seqs)
