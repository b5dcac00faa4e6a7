"""Towers: networks from one modality's features to unit-norm embeddings.

Everything a tower needs at run time is a constant of its graph: the standardiser's mean
and scale, projection matrices, the final L2 norm.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64
from torch import Tensor, nn

from training.correlation.moments import Chosen, add_up

Features = Float32[Tensor, "batch dim"]

SMALLEST_NORM = 1e-12


def unit_norm(rows: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch dim"]:
    """Scale every row to L2 norm 1."""
    norms = rows.square().sum(dim=1, keepdim=True).sqrt()
    return rows / norms.clamp(min=SMALLEST_NORM)


def in_parts(features: Float32[Tensor, "..."], rows: int) -> tuple[Tensor, ...]:
    """Split features into parts of so many rows, or, of sequences, of as many steps."""
    steps = features.shape[1] if features.ndim == 3 else 1
    return torch.split(features, max(1, rows // steps))


def squared_lift(posterior: Float[Tensor, "batch classes"]) -> Float[Tensor, "batch 1"]:
    r"""Return $1 - \sum_c p_c^2$ of probabilities, exact also where one is nearly 1."""
    rest = torch.topk(posterior, posterior.shape[1]).values[:, 1:]
    others = rest.sum(dim=1, keepdim=True)
    return 2 * others - others.square() - rest.square().sum(dim=1, keepdim=True)


def constant(values: Float[np.ndarray, "..."]) -> Float32[Tensor, "..."]:
    """Return a copy to register as a constant, row-major as a loaded state is.

    A product with a transposed matrix may round otherwise, so that restored towers would
    not equal fitted ones to the bit.
    """
    return torch.from_numpy(np.array(values, dtype=np.float32, order="C"))


class Standardizer(nn.Module):
    """Subtracts the training mean and divides by the training standard deviation."""

    mean: Tensor
    scale: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("scale", torch.ones(dim))

    def fit(
        self, features: Float32[np.ndarray, "items dim"], *, divide: bool = True
    ) -> None:
        """Take mean and deviation from training features; a constant keeps scale 1.

        Args:
            features: Training features.
            divide: Whether to divide by the deviation, not only to centre.
        """
        origin = features[0].astype(np.float64)  # a constant's sums about it are exact

        def powers(part: slice) -> tuple[np.ndarray, ...]:
            rows = features[part] - origin
            return rows.sum(axis=0), np.einsum("rd,rd->d", rows, rows)

        total, squares = (s / len(features) for s in add_up(len(features), powers))
        mean = origin + total
        deviation = np.sqrt((squares - total**2).clip(min=0))
        self.set_moments(mean, deviation, divide=divide)

    def set_moments(
        self,
        mean: Float64[np.ndarray, "dim"],
        deviation: Float64[np.ndarray, "dim"],
        *,
        divide: bool = True,
    ) -> None:
        """Take mean and deviation of training features; a constant keeps scale 1."""
        # a constant's deviation is rounding error, of the size of its value
        varies = divide & (deviation > 1e-6 * np.maximum(np.abs(mean), 1e-6))
        self.mean.copy_(torch.from_numpy(mean))
        self.scale.copy_(torch.from_numpy(np.where(varies, deviation, 1.0)))

    def transform(
        self, features: Float32[np.ndarray, "_ dim"]
    ) -> Float64[np.ndarray, "_ dim"]:
        """Return standardised features in float64, by the constants of the graph."""
        mean, scale = self.mean.double().numpy(), self.scale.double().numpy()
        standardized: np.ndarray = (features - mean) / scale
        return standardized

    def forward(self, features: Features) -> Features:
        """Return standardised features."""
        return (features - self.mean) / self.scale


@dataclass(frozen=True, slots=True)
class StandardizedRows:
    """Features as a standardiser gives them, in float64, where they are asked for."""

    features: Float32[np.ndarray, "items dim"]
    standardizer: Standardizer

    @property
    def shape(self) -> tuple[int, ...]:
        """Items and width."""
        return self.features.shape

    def __len__(self) -> int:
        return len(self.features)

    def __getitem__(self, rows: Chosen) -> Float64[np.ndarray, "some dim"]:
        return self.standardizer.transform(self.features[rows])


class ProjectionTower(nn.Module):
    """Standardise, one matrix, L2 norm: the tower of the linear methods."""

    offset: Tensor
    weight: Tensor

    def __init__(self, dim: int, components: int) -> None:
        super().__init__()
        self.standardize = Standardizer(dim)
        self.register_buffer("offset", torch.zeros(dim))
        self.register_buffer("weight", torch.zeros(dim, components))

    def set_projection(
        self,
        offset: Float[np.ndarray, "dim"],
        weight: Float[np.ndarray, "dim components"],
    ) -> None:
        """Take the mean and the projection of the standardised features."""
        self.offset.copy_(torch.from_numpy(offset))
        self.weight.copy_(torch.from_numpy(weight))

    def outputs(self, features: Features) -> Float32[Tensor, "batch components"]:
        """Return projections as they are, before the norm."""
        projected: Tensor = (self.standardize(features) - self.offset) @ self.weight
        return projected

    def forward(self, features: Features) -> Float32[Tensor, "batch components"]:
        """Return unit-norm projections."""
        return unit_norm(self.outputs(features))


class MlpTower(nn.Module):
    """Standardise, hidden layers with batch norm, a linear map, L2 norm."""

    def __init__(
        self,
        dim: int,
        components: int,
        *,
        hidden: int,
        layers: int,
        dropout: float,
        input_dropout: float = 0.0,
        noise: float = 0.0,
    ) -> None:
        """Build it.

        Args:
            dim: Feature width.
            components: Embedding size.
            hidden: Width of every hidden layer.
            layers: Number of hidden layers; none makes the tower linear.
            dropout: Share of hidden units dropped in training.
            input_dropout: Share of standardised features dropped in training.
            noise: Deviation of Gaussian noise on standardised features in training.
        """
        super().__init__()
        self.standardize = Standardizer(dim)
        self.noise = noise
        self.input_dropout = nn.Dropout(input_dropout)
        widths = [dim, *[hidden] * layers]
        blocks: list[nn.Module] = []
        for before, after in pairwise(widths):
            blocks += [
                nn.Linear(before, after),
                nn.BatchNorm1d(after),
                nn.ReLU(),
                nn.Dropout(dropout),
            ]
        self.hidden = nn.Sequential(*blocks)
        self.out = nn.Linear(widths[-1], components)

    def forward(self, features: Features) -> Float32[Tensor, "batch components"]:
        """Return unit-norm embeddings."""
        rows = self.standardize(features)
        if self.training and self.noise > 0:
            rows = rows + self.noise * torch.randn_like(rows)
        return unit_norm(self.out(self.hidden(self.input_dropout(rows))).float())
