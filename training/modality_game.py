"""Towers in a game against a critic that tells their modalities apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations
from typing import cast

import torch
from torch import Tensor, nn

from crossmodal.modality import Modality
from training.losses.modality_game import game_weight, modality_loss, reverse_gradient
from training.methods.method import Problem, Towers
from training.networks import NetworkTower, mlp
from training.pair_batches import PairBatches
from training.sampling import Batch

Outputs = Mapping[Modality, Tensor]

GAMES = ("reversal", "detached", "off")


def projectors(
    problem: Problem, *, dim: int, hidden: int, wide: int, activation: str, dropout: float
) -> dict[Modality, NetworkTower]:
    """Return one projector per modality, its last activation tanh.

    Args:
        problem: Feature widths.
        dim: Outputs.
        hidden: Width of the hidden layer.
        wide: Width of one more layer before it, for features wider than that.
        activation: Of hidden layers.
        dropout: Share of hidden units dropped in training.
    """
    towers = {}
    for modality in problem.modalities:
        width = problem.dims[modality]
        widths = [width, *([wide] if width > wide else []), hidden, dim]
        network = mlp(widths, activation=activation, last="tanh", dropout=dropout)
        towers[modality] = NetworkTower(width, network)
    return towers


class ModalityGame(nn.Module):
    """The towers and a critic of layers dim, dim/2, dim/4, one output per modality."""

    def __init__(
        self, towers: Towers, dim: int, *, activation: str, game: str, weight: float
    ) -> None:
        """Set up the game.

        Args:
            towers: Network towers.
            dim: Width of their outputs.
            activation: Of the critic's hidden layers.
            game: ``reversal`` lets the towers deceive the critic; ``detached`` trains the
                critic alone, as published code does; ``off`` has no critic.
            weight: Highest weight of the reversed gradient.
        """
        super().__init__()
        self.towers = nn.ModuleDict({m.value: tower for m, tower in towers.items()})
        self.game = game
        self.weight = weight
        self.progress = 0.0
        self.critic: nn.Module | None = None
        if game != "off":
            widths = [dim, max(2, dim // 2), max(2, dim // 4), len(towers)]
            self.critic = mlp(widths, activation=activation)

    def dealt(self, batches: PairBatches, epoch: int, epochs: int) -> Iterable[Batch]:
        """Return the epoch's batches, having noted how far the training is."""
        self.progress = (epoch - 1) / epochs
        return batches

    def outputs(self, features: Outputs, batch: Batch) -> dict[Modality, Tensor]:
        """Return what the towers make of a batch, before the norm."""
        outputs = {}
        for modality, rows in batch.rows.items():
            tower = cast(NetworkTower, self.towers[modality.value])
            chosen = features[modality]
            outputs[modality] = tower.outputs(
                chosen[torch.from_numpy(rows).to(chosen.device)]
            )
        return outputs

    def adversarial(self, outputs: Outputs) -> dict[str, Tensor]:
        """Return the critic's loss by name; nothing if there is no game."""
        if self.critic is None:
            return {}
        weight = self.weight * game_weight(self.progress)
        answers = [
            self.critic(
                rows.detach() if self.game == "detached" else reverse_gradient(rows, weight)
            )
            for _, rows in sorted(outputs.items())
        ]
        return {"critic": modality_loss(answers)}


def two_at_a_time(outputs: Outputs) -> list[tuple[Modality, Modality]]:
    """Return every unordered pair of modalities."""
    return list(combinations(sorted(outputs), 2))
