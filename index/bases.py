"""Bases: which kind of gallery a modality's vectors get, by their count and the memory."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from crossmodal.embeddings import Embeddings
from crossmodal.errors import CollectionError, ConfigError
from crossmodal.modality import Modality
from index.flat import KIND as FLAT
from index.flat import FlatGallery
from index.gallery import Seqs
from index.hnsw import KIND as HNSW
from index.hnsw import LINKS, HnswGallery

RECALL_AT = 10
SEARCH_WIDTHS = (64, 128, 256, 512, 1024)
QUERIES = 200  # of each modality, to measure recall with
_log = logging.getLogger(__name__)

BaseGallery = FlatGallery | HnswGallery


class NumberedVectors(NamedTuple):
    """One modality's vectors by ascending seq."""

    seqs: Seqs
    vectors: Embeddings


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseSettings:
    """What decides the kind of a base.

    Attributes:
        flat_up_to: So many vectors are compared with one by one: exactly.
        recall: The part of the ten best that a graph must find to be used.
        memory_bytes: What a graph with its vectors may take; None for half of the
            machine's memory. Above it, and where recall is not reached, every vector is
            compared with: slower, and exact.
    """

    flat_up_to: int = 100_000
    recall: float = 0.99
    memory_bytes: int | None = None

    def __post_init__(self) -> None:
        if self.flat_up_to < 0 or not 0 < self.recall <= 1:
            raise ConfigError(
                "expected flat_up_to >= 0 and a recall in (0, 1], got "
                f"{self.flat_up_to} and {self.recall}"
            )

    def wants_graph(self, count: int, dim: int) -> bool:
        """Tell whether so many vectors get a graph."""
        memory = self.memory_bytes
        if memory is None:
            memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
        links = 2 * LINKS + LINKS // 2  # per vector, over its layers, on average
        return count > self.flat_up_to and count * 4 * (dim + links) <= memory


def make_galleries(
    found: Mapping[Modality, NumberedVectors],
    settings: BaseSettings,
    stopped: Callable[[], bool] = lambda: False,
) -> dict[Modality, BaseGallery]:
    """Return a gallery per modality.

    Queries of every modality search every gallery, so a graph's recall is measured with
    vectors of all of them, and the lowest counts.

    Args:
        found: The vectors.
        settings: What decides the kind.
        stopped: Tells whether to give up.

    Raises:
        CollectionError: If it was stopped.
    """
    rng = np.random.default_rng(0)
    queries = [
        rows.vectors[rng.permutation(len(rows.vectors))[:QUERIES]]
        for rows in found.values()
        if len(rows.vectors)
    ]
    return {
        modality: _gallery(modality, rows, queries, settings, stopped)
        for modality, rows in found.items()
    }


def _gallery(
    modality: Modality,
    rows: NumberedVectors,
    queries: Sequence[np.ndarray],
    settings: BaseSettings,
    stopped: Callable[[], bool],
) -> BaseGallery:
    count, dim = rows.vectors.shape
    if not settings.wants_graph(count, dim):
        return FlatGallery.of(rows.seqs, rows.vectors)
    graph = HnswGallery.of(rows.seqs, rows.vectors, SEARCH_WIDTHS[0], stopped)
    for width in SEARCH_WIDTHS:
        tried = graph.measured(width, 0.0)
        recall = min(recall_of(tried, part) for part in queries)
        if recall >= settings.recall:
            return graph.measured(width, recall)
    _log.warning(
        "a graph over %d %s vectors finds %.3f of the best %d at most; it is not used",
        *(count, modality, recall, RECALL_AT),
    )
    return FlatGallery.of(rows.seqs, rows.vectors)


def recall_of(graph: HnswGallery, queries: Embeddings) -> float:
    """Return the mean part of the ten best scores that a graph's search reaches.

    By score, since which of several equal vectors is returned does not matter.
    """
    count = min(RECALL_AT, len(graph))
    found = graph.search(queries, count).scores
    lowest = graph.search_all(queries, count).scores[:, -1:]
    return float((found >= lowest - graph.error).mean())


def load_gallery(
    raw: np.ndarray, kind: str, search_width: int | None, recall: float | None
) -> BaseGallery:
    """Load a gallery of the kind that a manifest names.

    Raises:
        CollectionError: If it is of another kind, or there is no such kind.
    """
    if kind == FLAT:
        return FlatGallery.deserialize(raw)
    if kind == HNSW and search_width is not None and recall is not None:
        return HnswGallery.deserialize(raw, search_width, recall)
    raise CollectionError(f"this build knows no base of kind {kind!r}")
