"""Code towers: networks whose embedding is a binary code."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from training.towers.tower import Features, Standardizer


def sign_codes(outputs: Float[Tensor, "batch bits"]) -> Float[Tensor, "batch bits"]:
    """Return signs over the root of their number, which have unit norm; 0 counts as +.

    The inner product of two codes is 1 - 2h / bits with h their Hamming distance, so both
    rank alike.
    """
    size = outputs.shape[1] ** -0.5
    return torch.where(outputs >= 0, size, -size).float()


class CodeTower(nn.Module):
    """Standardise, a network, the sign; ``outputs`` gives what the sign is taken of."""

    def __init__(self, dim: int, network: nn.Module) -> None:
        super().__init__()
        self.standardize = Standardizer(dim)
        self.network = network

    def outputs(self, features: Features) -> Tensor:
        """Return continuous codes (batch, bits) in [-1, 1] for raw features."""
        outputs: Tensor = self.network(self.standardize(features))
        return torch.tanh(outputs.float())

    def forward(self, features: Features) -> Tensor:
        """Return codes (batch, bits) of unit norm."""
        return sign_codes(self.outputs(features))
