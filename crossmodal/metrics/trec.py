"""TREC files: a run and its qrels, so that any evaluator can reproduce a figure.

Conventions: trec_eval and what is built on it ignore the rank column, read scores as
float32, sort by score and break ties by document id, descending. Scores that differ in
the ninth decimal would collapse there. A score written here is the real one on a grid
of 2⁻²³, which float32 holds exactly, moved down by as many steps as keep it strictly
below the one ranked before it; so every evaluator restores the order written, and where
our scores tie, that order is by item id, as in the live index. Figures then agree with
ours but for ties, which we take as ties.

Source:
    https://trec.nist.gov/trec_eval: the formats ``qid Q0 docid rank score tag`` and
    ``qid 0 docid relevance``.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
from jaxtyping import Float64, Int

from crossmodal.errors import DataError
from crossmodal.metrics.arrangement import arrange
from crossmodal.metrics.judged import Judged
from crossmodal.metrics.ranking import rank
from crossmodal.metrics.search import blocks, prepare_search
from crossmodal.modality import Direction
from crossmodal.relevance import Relevance, encode, match

GRID = 2**23
BLOCK_SCORES = 1 << 20


def write_run(
    path: Path,
    direction: Direction,
    query: Judged,
    gallery: Judged,
    *,
    same_modality_mask: Sequence[int] = (),
    depth: int | None = None,
    tag: str = "earshot",
) -> None:
    """Write the ranking of every query, compressed if the name ends in ``.gz``.

    Args:
        path: The file to write.
        direction: Which modality searches which.
        query: What searches.
        gallery: What is searched.
        same_modality_mask: Dims set to zero in the query inside one modality.
        depth: Ranks to write per query; default all, which AP over the whole ranking
            needs. A file of all ranks grows with queries times gallery.
        tag: Name of the run, without white space.

    Raises:
        DataError: If an id or the tag has white space or is empty, or there is no query
            or gallery.
        ShapeError: If the two differ in dim, or the mask names a dim they lack.
    """
    _check_words(tag, *query.ids, *gallery.ids)
    by_id = np.argsort(np.array(gallery.ids))  # ties of a ranking come in row order
    search = arrange(
        prepare_search(direction, query, _reorder(gallery, by_id), same_modality_mask), None
    )
    names = [gallery.ids[row] for row in by_id]
    with _open(path) as file:
        for start, stop in blocks(len(query), len(gallery), BLOCK_SCORES):
            ranked = rank(search.keys(start, stop), search.own_row[start:stop])
            rows, scores = ranked.rows(), ranked.scores()
            for line, item in enumerate(query.ids[start:stop]):
                size = int(ranked.size[line])
                shown = size if depth is None else min(depth, size)
                places = zip(
                    range(1, shown + 1),
                    rows[line, :shown].tolist(),
                    _descend(scores[line, :shown]).tolist(),
                    strict=True,
                )
                file.writelines(
                    f"{item} Q0 {names[row]} {rank} {score:.8f} {tag}\n"
                    for rank, row, score in places
                )


def write_qrels(
    path: Path, direction: Direction, query: Judged, gallery: Judged, relevance: Relevance
) -> None:
    """Write which gallery items answer each query, compressed if named ``.gz``.

    Args:
        path: The file to write.
        direction: Which modality searches which; inside one a query is no answer to
            itself.
        query: What searches.
        gallery: What is searched.
        relevance: By class or by instance.

    Raises:
        DataError: If an id has white space or is empty.
        ValueError: If the relevance is by judgment: those have no key.
    """
    _check_words(*query.ids, *gallery.ids)
    answers = match(encode(query.keys(relevance), gallery.keys(relevance)))
    with _open(path) as file:
        for start, item in enumerate(query.ids):
            _, rows = answers.listing(start, start + 1)
            file.writelines(
                f"{item} 0 {gallery.ids[row]} 1\n"
                for row in rows.tolist()
                if not (direction.within and gallery.ids[row] == item)
            )


def _descend(scores: Float64[np.ndarray, "ranks"]) -> Float64[np.ndarray, "ranks"]:
    """Put scores on the grid, each at least a step below the one before it."""
    step = np.arange(len(scores))
    on_grid = np.rint(scores * GRID)
    strict: Float64[np.ndarray, "ranks"] = np.minimum.accumulate(on_grid + step) - step
    return strict / GRID


def _reorder(judged: Judged, order: Int[np.ndarray, "rows"]) -> Judged:
    return Judged([judged.ids[row] for row in order], judged.embeddings[order])


def _check_words(*words: str) -> None:
    for word in words:
        if len(word.split()) != 1 or word != word.strip():
            raise DataError(f"a TREC file needs ids without white space, got {word!r}")


@contextmanager
def _open(path: Path) -> Iterator[IO[str]]:
    opened = gzip.open(path, "wt") if path.suffix == ".gz" else path.open("w")
    with opened as file:
        yield file
