"""Validation: the one number by which settings and epochs are chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32
from torch import nn

from crossmodal.errors import DataError
from crossmodal.metrics.headline import (
    average_precision_by_class,
    reciprocal_rank_of_own_pair,
)
from crossmodal.modality import Modality, directions
from training.data import UNLABELED, TrainingData

Embedded = Mapping[Modality, Float32[np.ndarray, "_ dim"]]

BATCH = 4096
MEASURES = {
    "mean_average_precision": average_precision_by_class,
    "mean_reciprocal_rank": reciprocal_rank_of_own_pair,
}


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
        parts = [tower(part.to(device)).cpu() for part in torch.split(features, BATCH)]
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
    """
    metric = metric_of(data)
    measure = MEASURES[metric]
    judged = data.judged(embed(towers, data))
    values = {}
    for direction in directions(data.modalities):
        found = measure(direction, judged[direction.query], judged[direction.gallery])
        known = found[~np.isnan(found)]
        if not known.size:
            raise DataError(f"validation data: no {direction} query has a relevant item")
        values[str(direction)] = float(np.mean(known))
    return Score(metric, float(np.mean(list(values.values()))), values)
