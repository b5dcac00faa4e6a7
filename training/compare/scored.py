"""Scored items: what a comparison's figures are about, written once for all entries."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import numpy as np

from crossmodal.metrics.report import count_labels
from crossmodal.metrics.trec import write_qrels
from crossmodal.modality import Direction, Modality, directions
from crossmodal.relevance import Keys, Relevance
from training.compare.files import write_arrays, write_compact_json
from training.compare.places import Places, qrels_name
from training.data import TrainingData

ITEMS, FEATURES = "items.json", "features.npz"


def write_scored(name: str, scored: TrainingData, places: Places) -> dict[str, Any]:
    """Write a split's items, their features and qrels, and return its description.

    Args:
        name: Of the split: ``own`` or a fold.
        scored: Its rows.
        places: Where they go.
    """
    folder = places.split(name)
    folder.mkdir(exist_ok=True)
    judged = scored.judged(_unit_rows(scored))
    columns = {
        modality: {
            "id": list(rows.ids),
            "label": [label or "" for label in rows.keys(Relevance.CLASS)],
            "pair": [pair or "" for pair in rows.keys(Relevance.INSTANCE)],
        }
        for modality, rows in judged.items()
    }
    write_compact_json(folder / ITEMS, columns)
    write_arrays(folder / FEATURES, {str(m): rows for m, rows in scored.features.items()})
    for direction in directions(judged):
        query, gallery = judged[direction.query], judged[direction.gallery]
        for relevance in (Relevance.CLASS, Relevance.INSTANCE):
            path = places.trec / qrels_name(name, direction, relevance)
            if _shared(query.keys(relevance), gallery.keys(relevance)):
                write_qrels(path, direction, query, gallery, relevance)
    return {
        modality.value: {
            "items": len(rows),
            "classes": count_labels(rows.keys(Relevance.CLASS)),
        }
        for modality, rows in judged.items()
    }


def unit_keys(names: Iterable[str], direction: Direction, places: Places) -> list[str]:
    """Return a key per query, splits one after another: its pair's, or else its own."""
    keys: list[str] = []
    for name in names:
        columns = json.loads((places.split(name) / ITEMS).read_text())[direction.query]
        for item, pair in zip(columns["id"], columns["pair"], strict=True):
            keys.append(f"pair {pair}" if pair else f"{direction.query} {item}")
    return keys


def _unit_rows(data: TrainingData) -> dict[Modality, np.ndarray]:
    """Return rows that stand in for embeddings where only the items matter."""
    return {m: np.ones((len(rows), 1), np.float32) for m, rows in data.features.items()}


def _shared(ours: Keys, theirs: Keys) -> bool:
    return bool({key for key in ours if key is not None} & set(theirs))
