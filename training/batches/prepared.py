"""Prepared data: features that lie where towers are trained, by the rows of a batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from crossmodal.modality import Modality
from training.batches.sampling import Batch
from training.data import TrainingData
from training.methods.method import FitContext, Towers
from training.towers.correlated_tower import CorrelatedTower


@dataclass(frozen=True, slots=True)
class Prepared:
    """Training data whose features lie where the towers are trained."""

    data: TrainingData
    features: Mapping[Modality, Tensor]

    @classmethod
    def on(cls, device: torch.device, train: TrainingData) -> Prepared:
        """Put the features of a split onto a device."""
        features = {m: torch.from_numpy(x).to(device) for m, x in train.features.items()}
        return cls(train, features)

    def rows(self, modality: Modality, batch: Batch) -> Tensor:
        """Return the features of a batch."""
        features = self.features[modality]
        return features[torch.from_numpy(batch.rows[modality]).to(features.device)]


def prepare(
    towers: Towers, train: TrainingData, context: FitContext, *, divide: bool
) -> Prepared:
    """Fit the standardisers, and move towers and features to the device."""
    for modality, tower in towers.items():
        correlated = cast(CorrelatedTower, tower)
        correlated.standardize.fit(train.features[modality], divide=divide)
        correlated.to(context.device)
    return Prepared.on(context.device, train)
