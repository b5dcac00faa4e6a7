"""Correlated tower: a network, then the linear projection that CCA finds of its outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64
from torch import Tensor, nn

from crossmodal.errors import DivergenceError
from crossmodal.modality import Modality
from training.correlation.linear_cca import Moments, Solution, solve
from training.data import TrainingData
from training.methods.method import Towers
from training.towers.tower import Features, Standardizer, in_parts, unit_norm

Outputs = Mapping[Modality, Float64[np.ndarray, "_ _"]]

BATCH = 8192


class CorrelatedTower(nn.Module):
    """Standardise, a network, centre, project, L2 norm.

    The projection is no parameter: it is solved for once the network is trained.
    """

    offset: Tensor
    weight: Tensor

    def __init__(
        self, dim: int, network: nn.Module, *, outputs: int, components: int
    ) -> None:
        """Build it.

        Args:
            dim: Feature width.
            network: Takes standardised features.
            outputs: Its output width.
            components: Embedding size.
        """
        super().__init__()
        self.standardize = Standardizer(dim)
        self.network = network
        self.register_buffer("offset", torch.zeros(outputs))
        self.register_buffer("weight", torch.eye(outputs, components))

    def outputs(self, features: Features) -> Float32[Tensor, "batch outputs"]:
        """Return the network's outputs, which losses take."""
        outputs: Tensor = self.network(self.standardize(features))
        return outputs.float()

    def set_projection(
        self,
        offset: Float[np.ndarray, "outputs"],
        weight: Float[np.ndarray, "outputs components"],
    ) -> None:
        """Take the mean and the projection of the outputs."""
        self.offset.copy_(torch.from_numpy(offset))
        self.weight.copy_(torch.from_numpy(weight))

    def forward(self, features: Features) -> Float32[Tensor, "batch components"]:
        """Return unit-norm projections."""
        return unit_norm((self.outputs(features) - self.offset) @ self.weight)


@torch.no_grad()
def outputs_of(towers: Towers, features: Mapping[Modality, Tensor]) -> Outputs:
    """Return each network's outputs in evaluation mode, in float64."""
    found = {}
    for modality, tower in towers.items():
        correlated = cast(CorrelatedTower, tower).eval()
        parts = in_parts(features[modality], BATCH)
        outputs = torch.cat([correlated.outputs(part) for part in parts])
        found[modality] = outputs.double().cpu().numpy()
    return found


def fit_projections(
    towers: Towers,
    train: TrainingData,
    features: Mapping[Modality, Tensor],
    moments: Callable[[Outputs], Moments],
    *,
    ridge: float,
) -> Solution:
    """Solve CCA of the networks' outputs on the training data and load the towers.

    Args:
        towers: Correlated towers of two modalities.
        train: Names the left modality and the right.
        features: Training features where the towers are.
        moments: Returns the outputs' moments over the pairs that count.
        ridge: Relative to the mean variance of the outputs.

    Raises:
        DivergenceError: If some network's outputs are the same for every item.
    """
    found = moments(outputs_of(towers, features))
    try:
        solution = solve(found, ridge)
    except np.linalg.LinAlgError as error:
        raise DivergenceError(
            "training diverged: a network's outputs hardly vary any more; lower the "
            "learning rate"
        ) from error
    sides = (found.left_mean, solution.left), (found.right_mean, solution.right)
    for modality, (mean, directions) in zip(train.modalities, sides, strict=True):
        tower = cast(CorrelatedTower, towers[modality])
        tower.set_projection(mean, directions[:, : tower.weight.shape[1]])
    return solution
