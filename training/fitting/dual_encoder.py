"""Dual encoder: towers under contrastive losses, with a learned temperature."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import combinations

import numpy as np
import torch
from jaxtyping import Bool, Int64
from torch import Tensor, nn

from crossmodal.modality import Modality
from training.batches.sampling import UNPAIRED, Batch
from training.data import UNLABELED
from training.losses.info_nce import info_nce
from training.losses.supcon import supcon

COLDEST, HOTTEST = 0.01, 0.5


class DualEncoder(nn.Module):
    """The towers with what only training needs: the learned temperature."""

    def __init__(self, towers: Mapping[Modality, nn.Module], temperature: float) -> None:
        super().__init__()
        self.towers = nn.ModuleDict({m.value: tower for m, tower in towers.items()})
        self.log_temperature = nn.Parameter(torch.tensor(math.log(temperature)))

    @property
    def temperature(self) -> Tensor:
        """Divides the similarities."""
        return self.log_temperature.exp()

    @torch.no_grad()
    def clamp_temperature(self) -> None:
        """Keep the temperature in [0.01, 0.5]."""
        self.log_temperature.clamp_(math.log(COLDEST), math.log(HOTTEST))

    def losses(
        self, features: Mapping[Modality, Tensor], batch: Batch, eta: float
    ) -> dict[str, Tensor]:
        """Return the loss and its terms, averaged over every pair of modalities."""
        device = self.log_temperature.device
        embedded = {
            m: self.towers[m.value](features[m][torch.from_numpy(rows).to(device)])
            for m, rows in batch.rows.items()
        }
        by_class, by_pair = [], []
        for one, other in combinations(sorted(embedded), 2):
            positive = torch.from_numpy(positives(batch, one, other)).to(device)
            by_class.append(
                supcon(embedded[one], embedded[other], positive, self.temperature)
            )
            if eta > 0:
                ours, theirs = partners(batch, one, other)
                by_pair.append(
                    info_nce(embedded[one][ours], embedded[other][theirs], self.temperature)
                )
        terms = {"supcon": torch.stack(by_class).mean()}
        if by_pair:
            terms["info_nce"] = torch.stack(by_pair).mean()
        return {"loss": terms["supcon"] + eta * terms.get("info_nce", 0.0), **terms}


def positives(
    batch: Batch, one: Modality, other: Modality
) -> Bool[np.ndarray, "rows others"]:
    """Return which rows of two modalities share a class or are partners."""
    labels, others = batch.labels[one][:, None], batch.labels[other]
    pairs = batch.pairs[one][:, None]
    same_class = (labels == others) & (labels != UNLABELED)
    own: np.ndarray = (pairs == batch.pairs[other]) & (pairs != UNPAIRED)
    positive: np.ndarray = same_class | own
    return positive


def partners(
    batch: Batch, one: Modality, other: Modality
) -> tuple[Int64[np.ndarray, "pairs"], Int64[np.ndarray, "pairs"]]:
    """Return the places in the batch of both members of every pair."""
    ours, theirs = batch.pairs[one], batch.pairs[other]
    _, left, right = np.intersect1d(ours, theirs, return_indices=True)
    paired = ours[left] != UNPAIRED
    return left[paired], right[paired]
