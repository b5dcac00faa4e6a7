"""Galleries: the embeddings of one modality, searched by inner product.

Other engines join by answering as `Gallery` does; ranking, ties and liveness are settled
above them, on scores computed again in float64.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Float32, Float64, Int64

from crossmodal.embeddings import Embeddings

Seqs = Int64[np.ndarray, "rows"]

_SCAN_CELLS = 8_000_000  # float64 numbers held at once by an exact scan: 64 MB


class Candidates(NamedTuple):
    """What a gallery found for each query, best first; every column is filled."""

    seqs: Int64[np.ndarray, "queries found"]
    scores: Float[np.ndarray, "queries found"]


@runtime_checkable
class Gallery(Protocol):
    """The vectors of one modality, each known by its ``vectors.seq``, ascending.

    ``error`` bounds how far a returned score may lie from the exact inner product of a
    query of norm 1 at most. ``exact`` tells whether every vector is compared with, so
    that none better than the last one returned can be missing.
    """

    dim: int
    seqs: Seqs
    error: float
    exact: bool

    def __len__(self) -> int:
        """Return the number of vectors."""

    def search(self, queries: Embeddings, count: int) -> Candidates:
        """Return the ``count`` best vectors of each query, or all if there are fewer."""

    def vectors(self, seqs: Int64[np.ndarray, "wanted"]) -> Embeddings:
        """Return the vectors of these seqs, all of them present, in that order."""


class ExactScan:
    """Brute force in float64: slow, exact, and what other galleries are checked by."""

    exact = True

    def __init__(self, gallery: Gallery) -> None:
        """Scan the vectors of another gallery."""
        self.dim = gallery.dim
        self.seqs = gallery.seqs
        self.error = gallery.dim * float(np.finfo(np.float64).eps)
        self._gallery = gallery

    def __len__(self) -> int:
        """Return the number of vectors."""
        return len(self.seqs)

    def search(self, queries: Embeddings, count: int) -> Candidates:
        """Return the ``count`` best vectors of each query, or all if there are fewer."""
        count = min(count, len(self))
        seqs = np.empty((len(queries), count), dtype=np.int64)
        scores = np.empty((len(queries), count), dtype=np.float64)
        for number, query in enumerate(queries.astype(np.float64)):
            exact = self._scores(query)
            best = (
                np.argpartition(-exact, count - 1)[:count] if count else np.array([], int)
            )
            best = best[np.argsort(-exact[best], kind="stable")]
            seqs[number], scores[number] = self.seqs[best], exact[best]
        return Candidates(seqs, scores)

    def vectors(self, seqs: Int64[np.ndarray, "wanted"]) -> Embeddings:
        """Return the vectors of these seqs, all of them present, in that order."""
        return self._gallery.vectors(seqs)

    def _scores(self, query: Float64[np.ndarray, "dim"]) -> Float64[np.ndarray, "rows"]:
        scores = np.empty(len(self))
        step = max(1, _SCAN_CELLS // self.dim)
        for start in range(0, len(self), step):
            part = self._gallery.vectors(self.seqs[start : start + step])
            scores[start : start + step] = part.astype(np.float64) @ query
        return scores


def best(seqs: Seqs, scores: Float32[np.ndarray, "queries rows"], count: int) -> Candidates:
    """Return the ``count`` best of the rows that were scored, or all if there are fewer."""
    count = min(count, len(seqs))
    if 0 < count < len(seqs):
        rows = np.argpartition(-scores, count - 1, axis=1)[:, :count]
    else:
        rows = np.tile(np.arange(count), (len(scores), 1))
    found = np.take_along_axis(scores, rows, axis=1)
    order = np.argsort(-found, axis=1, kind="stable")
    rows = np.take_along_axis(rows, order, axis=1)
    return Candidates(seqs[rows], np.take_along_axis(found, order, axis=1))


def float32_error(dim: int) -> float:
    """Return how far a float32 inner product of unit-norm rows may be off, any order.

    Source:
        Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section 3.1.
    """
    unit = float(np.finfo(np.float32).eps) / 2
    return 1.01 * dim * unit / (1 - dim * unit)


def exact_scores(
    vectors: Float32[np.ndarray, "rows dim"], query: Float64[np.ndarray, "dim"]
) -> Float64[np.ndarray, "rows"]:
    """Return float64 inner products, each summed alike whatever rows stand beside it."""
    scores: np.ndarray = (vectors.astype(np.float64) * query).sum(axis=1)
    return scores
