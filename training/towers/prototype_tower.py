"""Prototype towers: binary codes of features drawn towards the classes they resemble."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from training.towers.code_tower import sign_codes
from training.towers.tower import Features, Standardizer, unit_norm


class PrototypeTower(nn.Module):
    r"""Standardise, a network, attention over class prototypes, tanh, sign.

    With f the network's outputs at unit norm and F_c the prototypes, $w_c =
    \sigma(5 f^T F_c)$ and $f' = s f + (1 - s) \sum_c w_c F_c / \sum_c w_c$; the code is
    the sign of $\tanh(V f')$. Prototypes are constants of the graph; one of zeros takes
    no part.

    Source:
        Gu et al. 2019, Adversary guided asymmetric hashing, and its public code.
    """

    prototypes: Tensor

    def __init__(
        self,
        dim: int,
        network: nn.Module,
        *,
        width: int,
        bits: int,
        classes: int,
        share: float,
    ) -> None:
        """Build it.

        Args:
            dim: Feature width.
            network: From features to ``width`` outputs.
            width: Of the outputs and the prototypes.
            bits: Length of the code.
            classes: Number of prototypes.
            share: Of the item's own outputs, s.
        """
        super().__init__()
        self.standardize = Standardizer(dim)
        self.network = network
        self.share = share
        self.hash = nn.Linear(width, bits)
        self.register_buffer("prototypes", torch.zeros(classes, width))

    def represent(self, features: Features) -> Float[Tensor, "batch width"]:
        """Return the network's outputs at unit norm."""
        outputs: Tensor = self.network(self.standardize(features))
        return unit_norm(outputs.float())

    def codes(self, represented: Float[Tensor, "batch width"]) -> Tensor:
        """Return continuous codes (batch, bits) in (-1, 1) of represented items."""
        present = (self.prototypes.abs().sum(dim=1) > 0).float()
        weights = torch.sigmoid(5 * represented @ self.prototypes.T) * present
        total = weights.sum(dim=1, keepdim=True).clamp(min=1e-12)
        attended = weights @ self.prototypes / total
        mixed = self.share * represented + (1 - self.share) * attended
        return torch.tanh(self.hash(mixed).float())

    def outputs(self, features: Features) -> Tensor:
        """Return continuous codes (batch, bits) in (-1, 1) for raw features."""
        return self.codes(self.represent(features))

    def forward(self, features: Features) -> Tensor:
        """Return codes (batch, bits) of unit norm."""
        return sign_codes(self.outputs(features))
