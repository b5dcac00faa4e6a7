"""Rounded vectors: a byte per dimension, to see cheaply which vectors may be the best.

Comparing with every vector waits for memory, and bytes are a quarter of it. What rounding
can do to a score is bounded, so whoever scores the found ones again knows whether a
vector that was not found could be better.
"""

from __future__ import annotations

from typing import NamedTuple

import faiss
import numpy as np
from jaxtyping import Float64, Int64

from crossmodal.embeddings import Embeddings
from index.galleries.gallery import float32_error

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
        longest = rest_norm = 0.0
        for part in parts:
            whole = np.rint((part - self._middle) / self._scale)
            whole = whole.clip(-LARGEST, LARGEST)
            rest = part - self._middle - whole * self._scale
            longest = max(longest, float(np.linalg.norm(whole, axis=1).max()))
            rest_norm = max(rest_norm, float(np.linalg.norm(rest, axis=1).max()))
            self._index.add(whole)
        # what float32 loses of these norms and in adding products up
        summing = float32_error(vectors.shape[1]) * float(self._scale.max())
        self._longest = 1.001 * longest
        self._error = 1.001 * rest_norm + summing * self._longest + 2e-6

    def nearest(self, queries: Embeddings, count: int) -> Nearest:
        """Return the ``count`` rows that rounding puts first, at most all there are.

        Queries have a norm of 1 at most.
        """
        scaled = queries * self._scale
        step = np.abs(scaled).max(axis=1, keepdims=True) / LARGEST
        step[step == 0] = 1
        whole = np.rint(scaled / step)
        scores, rows = self._index.search(whole, count)
        scaled -= whole * step
        missed = np.sqrt(np.einsum("ij,ij->i", scaled, scaled, dtype=np.float64))
        highest = scores[:, -1] * step[:, 0] + queries @ self._middle
        return Nearest(rows, highest + missed * self._longest + self._error)
