"""The HNSW gallery: a graph over the vectors, where comparing with all takes too long.

It misses some neighbors. How many is measured when it is made, and the width of its
searches raised until enough are found.

Source:
    Malkov & Yashunin 2018, arXiv:1603.09320.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import faiss
import numpy as np
from jaxtyping import Int64, UInt8

from crossmodal.embeddings import Embeddings
from crossmodal.errors import CollectionError
from index.galleries.flat import deserialize_id_map, look_into, write_index
from index.galleries.gallery import Candidates, Seqs, float32_error
from index.galleries.kinds import HNSW, LINKS

SEARCH_WIDTHS = (64, 128, 256, 512, 1024)
BUILD_WIDTH = 200
_AT_ONCE = 5_000


class HnswGallery:
    """A FAISS ``IndexHNSWFlat`` whose ids are ``vectors.seq``; never changed once made.

    ``recall`` is the part of the ten best that searches of ``search_width`` found when
    it was measured.
    """

    kind = HNSW
    exact = False

    def __init__(
        self, index: faiss.IndexIDMap, search_width: int, recall: float | None
    ) -> None:
        """Use `HnswGallery.of` or `HnswGallery.deserialize`."""
        self._index = index  # keeps alive the memory that the arrays below look into
        graph = cast(Any, faiss.downcast_index(index.index))
        self._graph = graph
        self._flat = faiss.downcast_index(graph.storage)
        self.dim: int = index.d
        self.error = float32_error(index.d)
        self.seqs: Seqs = faiss.vector_to_array(index.id_map)
        self.search_width = search_width
        self.recall = recall
        self._vectors = look_into(self._flat)

    @classmethod
    def of(
        cls,
        seqs: Seqs,
        vectors: Embeddings,
        stopped: Callable[[], bool] = lambda: False,
    ) -> HnswGallery:
        """Build the graph of these vectors; seqs ascend.

        Raises:
            CollectionError: If it was stopped.
        """
        graph: Any = faiss.IndexHNSWFlat(
            vectors.shape[1], LINKS, faiss.METRIC_INNER_PRODUCT
        )
        graph.hnsw.efConstruction = BUILD_WIDTH
        index = faiss.IndexIDMap(graph)
        for start in range(0, len(seqs), _AT_ONCE):
            if stopped():
                raise CollectionError("the collection was closed while a base was made")
            part = slice(start, start + _AT_ONCE)
            index.add_with_ids(np.ascontiguousarray(vectors[part]), seqs[part])
        return cls(index, SEARCH_WIDTHS[0], None)

    @classmethod
    def deserialize(
        cls, raw: UInt8[np.ndarray, "bytes"], search_width: int, recall: float
    ) -> HnswGallery:
        """Load a gallery from bytes whose checksum was verified before.

        Raises:
            CollectionError: If FAISS refuses them, or they hold another kind of index.
        """
        index, graph = deserialize_id_map(raw, faiss.IndexHNSWFlat)
        if not isinstance(faiss.downcast_index(graph.storage), faiss.IndexFlat):
            raise CollectionError("base is a graph over something else than vectors")
        return cls(index, search_width, recall)

    def measured(self, search_width: int, recall: float) -> HnswGallery:
        """Return the same graph, searched by another width."""
        return HnswGallery(self._index, search_width, recall)

    @property
    def widths(self) -> Sequence[int]:
        """Widths of a search worth trying."""
        return SEARCH_WIDTHS

    def write(self, sink: Callable[[bytes], object]) -> None:
        """Give the bytes that `deserialize` takes, in parts."""
        write_index(self._index, sink)

    def __len__(self) -> int:
        """Return the number of vectors."""
        return len(self.seqs)

    def search(self, queries: Embeddings, count: int) -> Candidates:
        """Return about the best ``count`` vectors of each query, or all if there are fewer.

        A query for which the graph yields fewer than that is compared with every vector.
        """
        count = min(count, len(self))
        if not count or not len(queries):
            empty = np.empty((len(queries), count))
            return Candidates(empty.astype(np.int64), empty)
        queries = np.ascontiguousarray(queries)
        width = faiss.SearchParametersHNSW(  # type: ignore[attr-defined]
            efSearch=max(self.search_width, count)
        )
        scores, rows = self._graph.search(queries, count, params=width)
        for number in np.flatnonzero((rows < 0).any(axis=1)):
            scores[number], rows[number] = self._flat.search(
                queries[number : number + 1], count
            )
        return Candidates(self.seqs[rows], scores)

    def search_all(self, queries: Embeddings, count: int) -> Candidates:
        """Return the ``count`` best vectors of each query, compared with every one."""
        scores, rows = self._flat.search(np.ascontiguousarray(queries), count)
        return Candidates(self.seqs[rows], scores)

    def vectors(self, seqs: Int64[np.ndarray, "wanted"]) -> Embeddings:
        """Return the vectors of these seqs, all of them present, in that order."""
        found: Embeddings = self._vectors[np.searchsorted(self.seqs, seqs)]
        return found
