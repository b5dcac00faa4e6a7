"""Towers are told what to standardise features by before they are trained."""

from __future__ import annotations

from typing import Any, cast

from training.data import TrainingData
from training.methods.method import Towers


def fit_standardizers(towers: Towers, train: TrainingData) -> None:
    """Let every tower, each of which standardises, take mean and deviation of a split."""
    for modality, tower in towers.items():
        cast(Any, tower).standardize.fit(train.features[modality])
