"""Kernel tower: Gaussian kernel with stored landmarks, one projection, L2 norm."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn

from training.towers.tower import Features, Standardizer, constant, unit_norm


class KernelTower(nn.Module):
    """Standardise, kernel with every landmark, centre, project, L2 norm.

    How many landmarks there are is known once it is fitted, or once a state is loaded:
    the buffers take the stored size.
    """

    landmarks: Tensor
    gamma: Tensor
    offset: Tensor
    weight: Tensor

    def __init__(self, dim: int, components: int, *, normalize: bool) -> None:
        """Build it.

        Args:
            dim: Feature width.
            components: Embedding size.
            normalize: Whether standardised features are scaled to unit norm.
        """
        super().__init__()
        self.standardize = Standardizer(dim)
        self.normalize = normalize
        self.register_buffer("landmarks", torch.zeros(1, dim))
        self.register_buffer("gamma", torch.ones(()))
        self.register_buffer("offset", torch.zeros(1))
        self.register_buffer("weight", torch.zeros(1, components))

    def set_kernel(
        self,
        landmarks: Float[np.ndarray, "landmarks dim"],
        gamma: float,
        offset: Float[np.ndarray, "landmarks"],
        weight: Float[np.ndarray, "landmarks components"],
    ) -> None:
        """Take landmarks, kernel width, mean kernel values and projection."""
        self.landmarks = constant(landmarks)
        self.gamma.fill_(gamma)
        self.offset = constant(offset)
        self.weight = constant(weight)

    def forward(self, features: Features) -> Float32[Tensor, "batch components"]:
        """Return unit-norm projections."""
        rows = self.standardize(features)
        if self.normalize:
            rows = unit_norm(rows)
        squares = rows.square().sum(dim=1, keepdim=True)
        distances = squares + self.landmarks.square().sum(dim=1)
        distances = (distances - 2 * rows @ self.landmarks.T).clamp(min=0)
        kernel = torch.exp(-self.gamma * distances)
        return unit_norm((kernel - self.offset) @ self.weight)

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *rest: Any
    ) -> None:
        for name in ("landmarks", "offset", "weight"):
            stored, own = state_dict.get(prefix + name), getattr(self, name)
            if stored is not None and stored.shape[1:] == own.shape[1:]:
                setattr(self, name, own.new_empty(stored.shape))
        super()._load_from_state_dict(state_dict, prefix, *rest)
