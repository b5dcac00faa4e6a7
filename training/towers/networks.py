"""Networks: the plain stacks of layers that towers and critics are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise

import torch
from torch import nn

from crossmodal.modality import Modality
from training.config import check_choice
from training.towers.tower import Features, Standardizer, unit_norm

ACTIVATIONS: Mapping[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "softmax": partial(nn.Softmax, dim=-1),
    "linear": nn.Identity,
}


def mlp(
    widths: Sequence[int],
    *,
    activation: str = "relu",
    last: str = "linear",
    dropout: float = 0.0,
    batch_norm: bool = False,
    shifts: bool = True,
) -> nn.Sequential:
    """Return fully connected layers.

    Args:
        widths: Of the input, every hidden layer and the output.
        activation: After every hidden layer; one of ACTIVATIONS.
        last: After the output.
        dropout: Share of hidden units dropped in training.
        batch_norm: Whether hidden layers are normalised before their activation.
        shifts: Whether every layer has a bias. Without, there is none where it has no
            effect on a loss of covariances: at the output, and before batch norm.

    Raises:
        ConfigError: If an activation is unknown.
    """
    for name in (activation, last):
        check_choice("activation", name, tuple(ACTIVATIONS))
    layers: list[nn.Module] = []
    for before, after in pairwise(widths[:-1]):
        layers.append(nn.Linear(before, after, bias=shifts or not batch_norm))
        if batch_norm:
            layers.append(nn.BatchNorm1d(after))
        layers.append(ACTIVATIONS[activation]())
        if dropout:
            layers.append(nn.Dropout(dropout))
    has_effect = last != "linear"
    layers.append(nn.Linear(widths[-2], widths[-1], bias=shifts or has_effect))
    if last != "linear":
        layers.append(ACTIVATIONS[last]())
    return nn.Sequential(*layers)


class NetworkTower(nn.Module):
    """Standardise, a network, L2 norm; ``outputs`` gives what the norm is taken of."""

    def __init__(self, dim: int, network: nn.Module) -> None:
        super().__init__()
        self.standardize = Standardizer(dim)
        self.network = network

    def outputs(self, features: Features) -> torch.Tensor:
        """Return the network's outputs (batch, k) for raw features (batch, dim)."""
        outputs: torch.Tensor = self.network(self.standardize(features))
        return outputs.float()

    def forward(self, features: Features) -> torch.Tensor:
        """Return unit-norm embeddings (batch, k)."""
        return unit_norm(self.outputs(features))


def mlp_towers(
    dims: Mapping[Modality, int],
    widths: Sequence[int],
    *,
    dropout: float,
    batch_norm: bool,
) -> dict[Modality, nn.Module]:
    """Return one network of fully connected layers per modality, in a stable order.

    Args:
        dims: Feature width of each modality.
        widths: Of every hidden layer and the output.
        dropout: Share of hidden units dropped in training.
        batch_norm: Whether hidden layers are normalised before their activation.
    """
    return {
        modality: NetworkTower(
            dim, mlp([dim, *widths], dropout=dropout, batch_norm=batch_norm)
        )
        for modality, dim in sorted(dims.items())
    }


def modules_of(towers: Mapping[Modality, nn.Module], **heads: nn.Module) -> nn.ModuleDict:
    """Return towers and what only training needs as one module."""
    named: dict[str, nn.Module] = {m.value: tower for m, tower in towers.items()}
    return nn.ModuleDict(named | heads)
