"""Bases: which kind of gallery a modality's vectors get, by their count and the memory."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from crossmodal.embeddings import Embeddings
from crossmodal.errors import CollectionError
from crossmodal.modality import Modality
from index.galleries.flat import FlatGallery
from index.galleries.gallery import Seqs
from index.galleries.hnsw import HnswGallery
from index.galleries.ivf import IvfGallery
from index.galleries.kinds import AUTO, FLAT, HNSW, IVF, BaseSettings

RECALL_AT = 10
QUERIES = 200  # of each modality, to measure recall with
_log = logging.getLogger(__name__)

Approximate = HnswGallery | IvfGallery
BaseGallery = FlatGallery | Approximate


class NumberedVectors(NamedTuple):
    """One modality's vectors by ascending seq."""

    seqs: Seqs
    vectors: Embeddings


def make_galleries(
    found: Mapping[Modality, NumberedVectors],
    settings: BaseSettings,
    stopped: Callable[[], bool] = lambda: False,
) -> dict[Modality, BaseGallery]:
    """Return a gallery per modality.

    Queries of every modality search every gallery, so what a graph or lists find is
    measured with vectors of all of them, and the lowest counts.

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
    total = sum(len(rows.vectors) for rows in found.values())
    galleries: dict[Modality, BaseGallery] = {}
    for modality, rows in found.items():
        kinds = settings.kinds_of(len(rows.seqs), rows.vectors.shape[1], total)
        made = None
        if len(rows.seqs) and kinds != (FLAT,):
            made = _approximate(kinds, rows, queries, settings, stopped)
        galleries[modality] = made or FlatGallery.of(*rows)
    return galleries


def _approximate(
    kinds: Sequence[str],
    rows: NumberedVectors,
    queries: Sequence[np.ndarray],
    settings: BaseSettings,
    stopped: Callable[[], bool],
) -> Approximate | None:
    """Return the first kind, at its first width, that finds enough; None if none does."""
    for kind in kinds:
        made: Approximate
        if kind == HNSW:
            made = HnswGallery.of(*rows, stopped)
        else:
            made = IvfGallery.of(*rows, settings.seed, stopped)
        widths = made.widths
        if isinstance(made, IvfGallery) and settings.kind == AUTO:
            widths = made.fast_widths
        recall = 0.0
        for width in widths:
            tried = made.measured(width, 0.0)
            recall = min(recall_of(tried, part) for part in queries)
            if recall >= settings.recall:
                return made.measured(width, recall)
        _log.warning(
            "%s over %d vectors finds %.3f of the best %d at most; it is not used",
            *(made.kind, len(made), recall, RECALL_AT),
        )
    return None


def recall_of(made: Approximate, queries: Embeddings) -> float:
    """Return the mean part of the ten best scores that a search reaches.

    By score, since which of several equal vectors is returned does not matter.
    """
    count = min(RECALL_AT, len(made))
    found = made.search(queries, count).scores
    lowest = made.search_all(queries, count).scores[:, -1:]
    return float((found >= lowest - made.error).mean())


def load_gallery(
    raw: np.ndarray, kind: str, search_width: int | None, recall: float | None
) -> BaseGallery:
    """Load a gallery of the kind that a manifest names.

    Raises:
        CollectionError: If it is of another kind, or there is no such kind.
    """
    if kind == FLAT:
        return FlatGallery.deserialize(raw)
    if search_width is not None and recall is not None:
        if kind == HNSW:
            return HnswGallery.deserialize(raw, search_width, recall)
        if kind == IVF:
            return IvfGallery.deserialize(raw, search_width, recall)
    raise CollectionError(f"this build knows no base of kind {kind!r}")
