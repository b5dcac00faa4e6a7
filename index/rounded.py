"""Rounded vectors: a byte per dimension, to see cheaply which vectors may be the best.

Comparing with every vector waits for memory, and bytes are a quarter of it. What rounding
can do to a score is bounded, so whoever scores the found ones again knows whether a
vector that was not found could be better.
"""

from __future__ import annotations

from typing import NamedTuple

import faiss
import numpy as np
from jaxtyping import Float32, Float64, Int64

from crossmodal.embeddings import Embeddings
from index.gallery import float32_error

LARGEST = 127
_AT_ONCE = 8192


class Nearest(NamedTuple):
    """The rows found for each query, and what no other row's exact score exceeds."""

    rows: Int64[np.ndarray, "queries found"]
    bounds: Float64[np.ndarray, "queries"]


class RoundedVectors:
    r"""Vectors as integers from -127 to 127, with a middle and a scale for each dimension.

    With x = m + s∘c + r for a vector and q∘s = δk + e for a query, c and k whole numbers,

    $$|\langle q, x\rangle - \langle q, m\rangle - δ\langle k, c\rangle|
      \le \|e\|\,\|c\| + \|q\|\,\|r\|$$

    by Cauchy and Schwarz; the largest norms of c and r are kept.
    """

    def __init__(self, vectors: Embeddings) -> None:
        """Round these rows, of which there is one at least."""
        parts = [vectors[at : at + _AT_ONCE] for at in range(0, len(vectors), _AT_ONCE)]
        highest = np.max([part.max(axis=0) for part in parts], axis=0)
        lowest = np.min([part.min(axis=0) for part in parts], axis=0)
        self._middle = (highest + lowest) / 2
        reach = (highest - lowest) / 2
        self._scale = np.where(reach > 0, reach, 1).astype(np.float32) / LARGEST
        # FAISS takes the query for whole numbers too, whatever it is: it must be of them
        self._index = faiss.IndexScalarQuantizer(
            vectors.shape[1],
            faiss.ScalarQuantizer.QT_8bit_direct_signed,
            faiss.METRIC_INNER_PRODUCT,
        )
        self._longest = self._rest = 0.0
        for part in parts:
            whole = np.rint((part - self._middle) / self._scale)
            whole = whole.clip(-LARGEST, LARGEST)
            rest = part - self._middle - whole * self._scale
            # computed in float32, and of float32 numbers
            longest = 1.001 * float(np.linalg.norm(whole, axis=1).max())
            rest_norm = 1.001 * float(np.linalg.norm(rest, axis=1).max()) + 1e-6
            self._longest = max(self._longest, longest)
            self._rest = max(self._rest, rest_norm)
            self._index.add(whole)

    def nearest(self, queries: Embeddings, count: int) -> Nearest:
        """Return the ``count`` rows that rounding puts first, at most all there are."""
        scaled = queries * self._scale
        step = np.abs(scaled).max(axis=1) / LARGEST
        step[step == 0] = 1
        whole = np.rint(scaled / step[:, None])
        scores, rows = self._index.search(whole, count)
        missed = _norms(scaled - whole * step[:, None])
        summing = float32_error(queries.shape[1]) * step * _norms(whole)
        error = (missed + summing) * self._longest + self._rest * _norms(queries)
        return Nearest(rows, scores[:, -1] * step + queries @ self._middle + error + 1e-6)


def _norms(rows: Float32[np.ndarray, "rows dim"]) -> Float32[np.ndarray, "rows"]:
    lengths: np.ndarray = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    return lengths
