"""Recurrent tower: LSTM layers over a clip's steps, then the projection that CCA finds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float32, Float64
from torch import Tensor, nn

from training.towers.correlated_tower import CorrelatedTower
from training.towers.networks import ACTIVATIONS, mlp
from training.towers.regular_steps import RegularSteps, Sequences, StepNorm
from training.towers.tower import Standardizer, unit_norm

ITEMS_AT_ONCE = 1024


class StepStandardizer(Standardizer):
    """Standardises by mean and deviation of a step, over all steps of the training data."""

    def fit(
        self, features: Float32[np.ndarray, "items time dim"], *, divide: bool = True
    ) -> None:
        """Take them from training sequences, NaN where an item has no more steps."""
        count = sum(len(steps) for steps in _own_steps(features))
        mean = sum(steps.sum(axis=0) for steps in _own_steps(features)) / count
        squares = (np.square(steps - mean).sum(axis=0) for steps in _own_steps(features))
        self.set_moments(mean, np.sqrt(sum(squares) / count), divide=divide)

    def forward(self, features: Sequences) -> Sequences:
        """Return standardised steps; NaN stays NaN."""
        return (features - self.mean) / self.scale


class RecurrentNetwork(nn.Module):
    """LSTM layers, one layer at every step, the steps side by side, the output layer.

    As LSTM layers look back only, what follows an item's last step cannot change an
    earlier one; masked, it does not reach the output layer either.
    """

    def __init__(
        self,
        dim: int,
        widths: Sequence[int],
        *,
        steps: int,
        mask: bool,
        activation: str,
        last: str,
        dropout: float,
        batch_norm: bool,
        input_norm: bool,
    ) -> None:
        """Build it.

        Args:
            dim: Width of a step.
            widths: Of every recurrent layer, of the layer at every step and of the output.
            steps: How many steps a sequence is brought to.
            mask: Whether steps that an item lacks are kept out of norms and output;
                without, the zeros in their place are steps like any other.
            activation: After the layer at every step; one of ACTIVATIONS.
            last: After the output.
            dropout: Share of a recurrent layer's outputs dropped in training.
            batch_norm: Whether the layer at every step is normalised before its activation.
            input_norm: Whether a learned batch norm stands before everything.
        """
        super().__init__()
        *recurrent, step, outputs = widths
        self.mask = mask
        self.regular = RegularSteps(steps)
        self.input_norm = StepNorm(dim) if input_norm else None
        self.recurrent = nn.ModuleList(
            nn.LSTM(before, after, batch_first=True)
            for before, after in pairwise([dim, *recurrent])
        )
        self.dropout = nn.Dropout(dropout)
        self.step = nn.Linear(recurrent[-1], step, bias=not batch_norm)
        self.step_norm = StepNorm(step) if batch_norm else None
        self.activation = ACTIVATIONS[activation]()
        self.out = mlp([steps * step, outputs], last=last, shifts=False)

    def forward(self, sequences: Sequences) -> Float32[Tensor, "batch outputs"]:
        """Return the outputs of sequences, NaN where an item has no more steps."""
        rows, real = self.regular(sequences)
        if not self.mask:
            real = torch.ones_like(real)
        if self.input_norm is not None:
            rows = self.input_norm(rows, real)
        for layer in self.recurrent:
            rows = self.dropout(layer(rows)[0])
        # as a matrix: products of three axes round by what else torch knows of the tensors
        rows = self.step(rows.flatten(0, 1)).unflatten(0, (-1, self.regular.steps))
        if self.step_norm is not None:
            rows = self.step_norm(rows, real)
        rows = self.activation(rows) * real.unsqueeze(2)
        outputs: Tensor = self.out(rows.flatten(1))
        return outputs


class RecurrentTower(CorrelatedTower):
    """Standardise every step, a recurrent network, centre, project, L2 norm."""

    def __init__(
        self, dim: int, network: nn.Module, *, outputs: int, components: int
    ) -> None:
        super().__init__(dim, network, outputs=outputs, components=components)
        self.standardize = StepStandardizer(dim)

    def outputs(self, features: Sequences) -> Float32[Tensor, "batch outputs"]:
        """Return the network's outputs, which losses take."""
        outputs: Tensor = self.network(self.standardize(features))
        return outputs.float()

    def forward(self, features: Sequences) -> Float32[Tensor, "batch components"]:
        """Return unit-norm projections."""
        return unit_norm((self.outputs(features) - self.offset) @ self.weight)


def _own_steps(
    sequences: Float32[np.ndarray, "items time dim"],
) -> Iterator[Float64[np.ndarray, "_ dim"]]:
    """Yield all steps that are no padding, in parts, in float64."""
    for start in range(0, len(sequences), ITEMS_AT_ONCE):
        part = sequences[start : start + ITEMS_AT_ONCE]
        yield part[~np.isnan(part[:, :, 0])].astype(np.float64)
