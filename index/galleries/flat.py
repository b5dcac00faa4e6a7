"""The flat gallery: a FAISS inner-product index that compares with every vector."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import faiss
import numpy as np
from jaxtyping import Float32, Int64, UInt8

from crossmodal.embeddings import Embeddings
from crossmodal.errors import CollectionError
from index.galleries.gallery import Candidates, Seqs, float32_error
from index.galleries.kinds import FLAT
from index.galleries.rounded import RoundedVectors

ROUNDED_FROM = 10_000  # vectors: comparing with fewer takes no time
_SPARE = 64  # rounded vectors fetched beyond twice as many as are wanted
_FEW = 64  # one vector in so many: choosing more takes longer than comparing with all


class FlatGallery:
    """A FAISS ``IndexFlatIP`` whose ids are ``vectors.seq``; never changed once made.

    FAISS pads with row -1 when asked for more than it has and reports a wrong width by
    an empty AssertionError, so both are settled before it is called. Where there are many
    vectors, those that may be the best are first chosen by rounded ones; where that leaves
    a doubt, every vector is compared with.
    """

    kind = FLAT
    exact = True
    search_width = None
    recall = None

    def __init__(self, index: faiss.IndexIDMap) -> None:
        """Use `FlatGallery.of` or `FlatGallery.deserialize`."""
        self._index = index  # keeps alive the memory that the arrays below look into
        self._flat = faiss.downcast_index(index.index)
        self.dim: int = index.d
        self.error = float32_error(index.d)
        self.seqs: Seqs = faiss.vector_to_array(index.id_map)
        self._vectors = look_into(self._flat)
        many = len(self._vectors) >= ROUNDED_FROM
        self._rounded = RoundedVectors(self._vectors) if many else None

    @classmethod
    def of(cls, seqs: Seqs, vectors: Embeddings) -> FlatGallery:
        """Build a gallery of these vectors; seqs ascend."""
        index = faiss.IndexIDMap(faiss.IndexFlatIP(vectors.shape[1]))
        if len(seqs):
            index.add_with_ids(np.ascontiguousarray(vectors), seqs)
        return cls(index)

    @classmethod
    def deserialize(cls, raw: UInt8[np.ndarray, "bytes"]) -> FlatGallery:
        """Load a gallery from bytes whose checksum was verified before.

        Raises:
            CollectionError: If FAISS refuses them, or they hold another kind of index.
        """
        index, _ = deserialize_id_map(raw, faiss.IndexFlat)
        return cls(index)

    def write(self, sink: Callable[[bytes], object]) -> None:
        """Give the bytes that `deserialize` takes, in parts, alike for equal galleries."""
        write_index(self._index, sink)

    def __len__(self) -> int:
        """Return the number of vectors."""
        return len(self.seqs)

    def search(self, queries: Embeddings, count: int) -> Candidates:
        """Return the ``count`` best vectors of each query, or all if there are fewer."""
        count = min(count, len(self))
        if not count or not len(queries):
            empty = np.empty((len(queries), count))
            return Candidates(empty.astype(np.int64), empty)
        rows = np.empty((len(queries), count), dtype=np.int64)
        scores = np.empty((len(queries), count), dtype=np.float32)
        unsettled = list(range(len(queries)))
        for taken in (2 * count + _SPARE, 16 * count + 8 * _SPARE):
            if self._rounded is None or taken * _FEW > len(self) or not unsettled:
                break
            part = queries if len(unsettled) == len(queries) else queries[unsettled]
            near, bounds = self._rounded.nearest(part, taken)
            near.sort(axis=1)  # equal scores then come in the order of rows
            doubtful = []
            for number, own, bound in zip(unsettled, near, bounds.tolist(), strict=True):
                negated = -(self._vectors[own] @ queries[number])
                order = negated.argsort(kind="stable")[:count]
                rows[number], scores[number] = own[order], -negated[order]
                if scores[number, -1] - self.error <= bound:
                    doubtful.append(number)
            unsettled = doubtful
        if unsettled:
            rows[unsettled], scores[unsettled] = self._search_all(queries[unsettled], count)
        return Candidates(self.seqs[rows], scores)

    def _search_all(
        self, queries: Embeddings, count: int
    ) -> tuple[Int64[np.ndarray, "queries found"], Float32[np.ndarray, "queries found"]]:
        scores, rows = self._flat.search(np.ascontiguousarray(queries), count)
        return rows, scores

    def vectors(self, seqs: Int64[np.ndarray, "wanted"]) -> Embeddings:
        """Return the vectors of these seqs, all of them present, in that order."""
        found: Embeddings = self._vectors[np.searchsorted(self.seqs, seqs)]
        return found


def deserialize_id_map(
    raw: UInt8[np.ndarray, "bytes"], kind: type[faiss.Index]
) -> tuple[faiss.IndexIDMap, Any]:
    """Return an index with ids, and the index of the expected kind inside it.

    Raises:
        CollectionError: If FAISS refuses the bytes, they hold another kind or metric, or
            the ids do not ascend.
    """
    faiss.set_deserialization_vector_byte_limit(len(raw))
    try:
        index = faiss.deserialize_index(raw)
        if not isinstance(index, faiss.IndexIDMap):
            raise CollectionError("base holds another index than the manifest names")
        inner = faiss.downcast_index(index.index)
    except RuntimeError as error:
        raise CollectionError("base is refused by FAISS") from error
    if not isinstance(inner, kind):
        raise CollectionError("base holds another index than the manifest names")
    if inner.metric_type != faiss.METRIC_INNER_PRODUCT:
        raise CollectionError("base compares by another metric than inner product")
    seqs = faiss.vector_to_array(index.id_map)
    if len(seqs) != inner.ntotal or (np.diff(seqs) <= 0).any():
        raise CollectionError("base has ids that do not ascend")
    return index, inner


def write_index(index: faiss.IndexIDMap, sink: Callable[[bytes], object]) -> None:
    """Give an index's bytes in parts, so that no copy of it is held."""

    def take(part: bytes) -> int:
        sink(part)
        return len(part)

    faiss.write_index(index, cast(Any, faiss).PyCallbackIOWriter(take))


def look_into(flat: Any) -> Embeddings:
    """Return the index's own memory as a read-only (rows, dim) array, not copied."""
    if not flat.ntotal:
        return np.empty((0, flat.d), dtype=np.float32)
    memory = faiss.rev_swig_ptr(flat.get_xb(), flat.ntotal * flat.d)
    rows: Embeddings = memory.reshape(flat.ntotal, flat.d)
    rows.flags.writeable = False
    return rows
