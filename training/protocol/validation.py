"""Validation: the one number by which settings and epochs are chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32, Float64
from torch import nn

from crossmodal.embeddings import check_unit
from crossmodal.errors import DataError
from crossmodal.metrics.headline import average_precision, reciprocal_rank_of_own_pair
from crossmodal.metrics.search import Search
from crossmodal.modality import Direction, Modality, directions
from crossmodal.relevance import Codes
from training.data import UNLABELED, TrainingData
from training.towers.tower import in_parts

Embedded = Mapping[Modality, Float32[np.ndarray, "_ dim"]]
PerQuery = Float64[np.ndarray, "queries"]

BATCH = 4096
NO_KEY = -2  # of a gallery row, as in Codes: it equals no query's


@dataclass(frozen=True, slots=True)
class Score:
    """A validation score: the mean over directions, and each direction's value.

    Attributes:
        metric: ``mean_average_precision`` by class; without labels,
            ``mean_reciprocal_rank`` of the own pair.
    """

    metric: str
    mean: float
    directions: Mapping[str, float]


@torch.no_grad()
def embed(towers: Mapping[Modality, nn.Module], data: TrainingData) -> Embedded:
    """Return embeddings of every row; towers are left in evaluation mode."""
    embedded = {}
    for modality in data.modalities:
        tower = towers[modality].eval()
        device = next((t.device for t in tower.state_dict().values()), torch.device("cpu"))
        features = torch.from_numpy(data.features[modality])
        parts = [tower(part.to(device)).cpu() for part in in_parts(features, BATCH)]
        embedded[modality] = torch.cat(parts).numpy()
    return embedded


def metric_of(data: TrainingData) -> str:
    """Return the metric that validation data allows.

    Raises:
        DataError: If it has neither labels nor pairs.
    """
    if all((labels != UNLABELED).any() for labels in data.labels.values()):
        return "mean_average_precision"
    if data.pairs is not None:
        return "mean_reciprocal_rank"
    raise DataError("validation data has neither labels nor pairs: nothing is relevant")


def score(towers: Mapping[Modality, nn.Module], data: TrainingData) -> Score:
    """Return the score of towers on validation data.

    Raises:
        DataError: If no query of some direction has a relevant item.
        ShapeError: If an embedding is not of unit norm.
    """
    metric = metric_of(data)
    embedded = embed(towers, data)
    for rows in embedded.values():
        check_unit(rows)
    values = {}
    for direction in directions(data.modalities):
        found = MEASURES[metric](direction, embedded, data)
        known = found[~np.isnan(found)]
        if not known.size:
            raise DataError(f"validation data: no {direction} query has a relevant item")
        values[str(direction)] = float(np.mean(known))
    return Score(metric, float(np.mean(list(values.values()))), values)


def _by_class(direction: Direction, embedded: Embedded, data: TrainingData) -> PerQuery:
    """Return AP by class; labels are numbers already, which spares sorting names."""
    query, gallery = embedded[direction.query], embedded[direction.gallery]
    ours, theirs = data.labels[direction.query], data.labels[direction.gallery]
    codes = Codes(data.classes, ours, np.where(theirs == UNLABELED, NO_KEY, theirs))
    return average_precision(Search(query, gallery, np.full(len(query), -1)), codes)


def _by_pair(direction: Direction, embedded: Embedded, data: TrainingData) -> PerQuery:
    judged = data.judged(embedded)
    return reciprocal_rank_of_own_pair(
        direction, judged[direction.query], judged[direction.gallery]
    )


MEASURES = {"mean_average_precision": _by_class, "mean_reciprocal_rank": _by_pair}
