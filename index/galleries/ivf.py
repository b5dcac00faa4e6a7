"""The IVF gallery: vectors in lists, of which a search looks into the nearest few.

Inside a list every vector is compared with as it was given. Vectors near a query may lie
in lists that it does not look into: how many is measured when the lists are made.

Source:
    Jégou, Douze & Schmid 2011, doi:10.1109/TPAMI.2010.57, section IV.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import ceil, isqrt
from typing import Any, cast

import faiss
import numpy as np
from jaxtyping import Int64, UInt8

from crossmodal.embeddings import Embeddings
from crossmodal.errors import CollectionError
from index.galleries.flat import deserialize_id_map, write_index
from index.galleries.gallery import Candidates, Seqs, float32_error
from index.galleries.kinds import IVF

_PER_LIST = 39  # vectors that a list is made from
_ROUNDS = 10  # of k-means: more, and more vectors per list, find nothing sooner
_FAST = 8  # one list in so many: looking into more takes as long as comparing with all
_COMPARED = 4  # times as many vectors as are asked for, at least
_AT_ONCE = 20_000


class IvfGallery:
    """A FAISS ``IndexIVFFlat`` whose ids are ``vectors.seq``; never changed once made.

    ``recall`` is the part of the ten best that searches of ``search_width`` lists found
    when it was measured.
    """

    kind = IVF
    exact = False

    def __init__(
        self, index: faiss.IndexIDMap, search_width: int, recall: float | None
    ) -> None:
        """Use `IvfGallery.of` or `IvfGallery.deserialize`."""
        self._index = index  # keeps alive the memory that the arrays below look into
        self._lists = cast(Any, faiss.downcast_index(index.index))
        self.dim: int = index.d
        self.error = float32_error(index.d)
        self.seqs: Seqs = faiss.vector_to_array(index.id_map)
        self.search_width = search_width
        self.recall = recall

    @classmethod
    def of(
        cls,
        seqs: Seqs,
        vectors: Embeddings,
        seed: int,
        stopped: Callable[[], bool] = lambda: False,
    ) -> IvfGallery:
        """Put these vectors into lists; seqs ascend, and there is one at least.

        The same vectors and seed give the same bytes. Beside the vectors and their copy
        in the lists, a sample of 39 vectors per list is held, and nothing else of weight.

        Raises:
            CollectionError: If it was stopped.
        """
        count, dim = vectors.shape
        lists: Any = faiss.IndexIVFFlat(
            faiss.IndexFlatIP(dim), dim, list_count(count), faiss.METRIC_INNER_PRODUCT
        )
        lists.cp.seed = seed
        lists.cp.niter = _ROUNDS
        lists.cp.min_points_per_centroid = 1
        lists.cp.max_points_per_centroid = _PER_LIST
        _check_going_on(stopped)
        lists.train(np.ascontiguousarray(vectors))
        index = faiss.IndexIDMap(lists)
        _fill(lists, vectors, stopped)
        faiss.copy_array_to_vector(np.ascontiguousarray(seqs), index.id_map)
        index.ntotal = lists.ntotal
        lists.make_direct_map()
        return cls(index, 1, None)

    @classmethod
    def deserialize(
        cls, raw: UInt8[np.ndarray, "bytes"], search_width: int, recall: float
    ) -> IvfGallery:
        """Load a gallery from bytes whose checksum was verified before.

        Raises:
            CollectionError: If FAISS refuses them, they hold another kind of index, or
                there are not so many lists to look into.
        """
        index, lists = deserialize_id_map(raw, faiss.IndexIVFFlat)
        if not isinstance(faiss.downcast_index(lists.quantizer), faiss.IndexFlat):
            raise CollectionError("base finds its lists by something else than vectors")
        if not 0 < search_width <= lists.nlist:
            raise CollectionError(
                f"base has {lists.nlist} lists, of which {search_width} cannot be searched"
            )
        return cls(index, search_width, recall)

    def measured(self, search_width: int, recall: float) -> IvfGallery:
        """Return the same lists, so many of which a search looks into."""
        return IvfGallery(self._index, search_width, recall)

    @property
    def widths(self) -> Sequence[int]:
        """Numbers of lists that may be looked into: half of them, and less."""
        doubled = [1 << power for power in range(self._lists.nlist.bit_length())]
        return [width for width in doubled if 2 * width <= self._lists.nlist]

    @property
    def fast_widths(self) -> Sequence[int]:
        """Those of them that are faster than comparing with every vector."""
        return [width for width in self.widths if _FAST * width <= self._lists.nlist]

    def write(self, sink: Callable[[bytes], object]) -> None:
        """Give the bytes that `deserialize` takes, in parts, alike for equal galleries."""
        write_index(self._index, sink)

    def __len__(self) -> int:
        """Return the number of vectors."""
        return len(self.seqs)

    def search(self, queries: Embeddings, count: int) -> Candidates:
        """Return about the best ``count`` vectors of each query, or all if there are fewer.

        A query whose lists hold fewer than that is compared with every vector.
        """
        count = min(count, len(self))
        enough = ceil(self._lists.nlist * _COMPARED * count / max(len(self), 1))
        return self._search(queries, count, max(self.search_width, enough))

    def search_all(self, queries: Embeddings, count: int) -> Candidates:
        """Return the ``count`` best vectors of each query, compared with every one."""
        return self._search(queries, count, self._lists.nlist)

    def vectors(self, seqs: Int64[np.ndarray, "wanted"]) -> Embeddings:
        """Return the vectors of these seqs, all of them present, in that order."""
        if not len(seqs):
            return np.empty((0, self.dim), dtype=np.float32)
        rows = np.searchsorted(self.seqs, seqs)
        found: Embeddings = self._lists.reconstruct_batch(rows)
        return found

    def _search(self, queries: Embeddings, count: int, width: int) -> Candidates:
        if not count or not len(queries):
            empty = np.empty((len(queries), count))
            return Candidates(empty.astype(np.int64), empty)
        queries = np.ascontiguousarray(queries)
        scores, rows = self._look_into(queries, count, min(width, self._lists.nlist))
        short = np.flatnonzero((rows < 0).any(axis=1))
        if len(short):
            found = self._look_into(queries[short], count, self._lists.nlist)
            scores[short], rows[short] = found
        return Candidates(self.seqs[rows], scores)

    def _look_into(self, queries: Embeddings, count: int, lists: int) -> Any:
        wanted = cast(Any, faiss).SearchParametersIVF(nprobe=lists)
        return self._lists.search(queries, count, params=wanted)


def list_count(count: int) -> int:
    """Return how many lists so many vectors get: four times their root, if that many fill.

    Then finding the lists and looking into some of them cost about the same.
    """
    return max(1, min(4 * isqrt(count), count // _PER_LIST))


def _fill(lists: Any, vectors: Embeddings, stopped: Callable[[], bool]) -> None:
    """Add vectors, numbered from 0, to lists that are given their room before.

    A list that grows takes up to twice its room, which matters where memory is short.
    """
    nearest = np.empty(len(vectors), dtype=np.int64)
    for part in _parts(len(vectors), stopped):
        rows = np.ascontiguousarray(vectors[part])
        nearest[part] = lists.quantizer.assign(rows, 1)[:, 0]
    for number, size in enumerate(np.bincount(nearest, minlength=lists.nlist).tolist()):
        lists.invlists.resize(number, size)
        lists.invlists.resize(number, 0)
    for part in _parts(len(vectors), stopped):
        rows, places = np.ascontiguousarray(vectors[part]), nearest[part]
        lists.add_core(len(rows), faiss.swig_ptr(rows), None, faiss.swig_ptr(places))


def _parts(count: int, stopped: Callable[[], bool]) -> Iterator[slice]:
    for start in range(0, count, _AT_ONCE):
        _check_going_on(stopped)
        yield slice(start, start + _AT_ONCE)


def _check_going_on(stopped: Callable[[], bool]) -> None:
    if stopped():
        raise CollectionError("the collection was closed while a base was made")
