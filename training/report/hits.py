"""Hits: what some queries of the best entry find first, good, usual and bad ones."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from crossmodal.modality import Direction
from training.compare.results import Items
from training.report.page import table
from training.report.standing import Standing, number

FIRST = 5
QUANTILES = {"best": 1.0, "good": 0.75, "median": 0.5, "poor": 0.25, "worst": 0.0}

Matrix = Float[np.ndarray, "_ dim"]


def hits(standing: Standing) -> list[str]:
    """Return a table per direction: queries by their AP, and their first hits."""
    results = standing.results
    parts = []
    for name in standing.best(1):
        for direction in results.directions:
            embeddings, items = results.embeddings(name, direction), results.items()
            detailed = [o for o in results.of(name) if direction in o.directions]
            if not embeddings or not detailed:
                continue
            precision = detailed[0].per_query(direction, "mean_average_precision")
            chosen = choose(precision)
            lines = [
                [
                    which,
                    number(float(precision[row]), 3),
                    *_line(row, embeddings[direction.query], embeddings[direction.gallery],
                           items[direction.query], items[direction.gallery]),
                ]
                for which, row in chosen.items()
            ]  # fmt: skip
            headings = [
                "query",
                "AP",
                "id",
                "class",
                *(f"hit {n + 1}" for n in range(FIRST)),
            ]
            parts.append(table(headings, lines, caption=_caption(name, direction)))
    return parts


def choose(precision: Float[np.ndarray, "queries"]) -> dict[str, int]:
    """Return the rows of the queries at some quantiles of AP, the first of equals."""
    known = np.flatnonzero(~np.isnan(precision))
    if not len(known):
        return {}
    ranked = known[np.argsort(precision[known], kind="stable")]
    return {
        which: int(ranked[round(quantile * (len(ranked) - 1))])
        for which, quantile in QUANTILES.items()
    }


def first_rows(query: Matrix, gallery: Matrix, count: int) -> Int[np.ndarray, "hits"]:
    """Return the gallery rows of the highest inner products, best first."""
    scores = np.round(gallery.astype(np.float64) @ query[0].astype(np.float64), 9)
    best: np.ndarray = np.argsort(-scores, kind="stable")[:count]
    return best


def _line(
    row: int, query: Matrix, gallery: Matrix, asked: Items, found: Items
) -> list[str]:
    cells = [asked.id[row], asked.label[row] or "-"]
    for hit in first_rows(query[row : row + 1], gallery, FIRST):
        own = bool(asked.pair[row]) and asked.pair[row] == found.pair[hit]
        right = bool(asked.label[row]) and asked.label[row] == found.label[hit]
        sign = "✓" if right else "✗"
        cells.append(f"{sign} {found.label[hit]}{' (own pair)' if own else ''}")
    return cells + [""] * (2 + FIRST - len(cells))


def _caption(name: str, direction: Direction) -> str:
    return (
        f"{name}, {direction}: queries from best to worst average precision, and the "
        "classes of what stands first"
    )
