"""Projectors in a game against a critic that tells their modalities apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from crossmodal.modality import Modality
from training.batches.pair_batches import PairBatches
from training.batches.sampling import Batch
from training.config import Settings, check_choice, check_range
from training.data import TrainingData
from training.fitting.best_epoch import BestEpoch
from training.fitting.loop import train_epochs
from training.fitting.optimization import SCHEDULES, Optimization
from training.fitting.standardizing import fit_standardizers
from training.losses.modality_game import game_weight, modality_loss, reverse_gradient
from training.methods.method import FitContext, Problem, Towers, Training
from training.towers.networks import ACTIVATIONS, NetworkTower, mlp

Outputs = Mapping[Modality, Tensor]

GAMES = ("reversal", "detached", "off")


@dataclass(frozen=True, slots=True, kw_only=True)
class GameSettings(Settings):
    """Settings of projectors that play the game.

    Attributes:
        dim: Embedding size.
        hidden: Width of the hidden layer.
        wide: Width of one more layer before it, for features wider than that.
        activation: Of the projectors' hidden layers; outputs are tanh.
        dropout: Share of hidden units dropped in training.
        standardize: Whether features are standardised first.
        game: ``reversal``, ``detached`` (the critic's gradient never reaches the
            projectors) or ``off``.
        game_weight: Highest weight of the game.
        critic_activation: Of the critic's hidden layers.
        shuffle: Whether the pairs come in an order of chance.
        rate: Highest learning rate of Adam.
        beta1: Its decay of the mean gradient.
        weight_decay: Of matrices.
        schedule: Of the rate.
        epochs: Passes over the pairs.
        batch: Pairs per batch.
    """

    dim: int = 40
    hidden: int = 256
    wide: int = 512
    activation: str = "relu"
    dropout: float = 0.3
    standardize: bool = True
    game: str = "reversal"
    game_weight: float = 0.1
    critic_activation: str = "relu"
    shuffle: bool = True
    rate: float = 1e-3
    beta1: float = 0.5
    weight_decay: float = 1e-4
    schedule: str = "cosine"
    epochs: int = 30
    batch: int = 128

    def __post_init__(self) -> None:
        check_range("dim", self.dim, 4, 4096)
        check_range("hidden", self.hidden, 1, 65536)
        check_range("wide", self.wide, 1, 65536)
        check_choice("activation", self.activation, tuple(ACTIVATIONS))
        check_range("dropout", self.dropout, 0, 0.95)
        check_choice("game", self.game, GAMES)
        check_range("game_weight", self.game_weight, 0, 1e6)
        check_choice("critic_activation", self.critic_activation, tuple(ACTIVATIONS))
        check_range("rate", self.rate, 1e-8, 10)
        check_range("beta1", self.beta1, 0, 0.9999)
        check_range("weight_decay", self.weight_decay, 0, 10)
        check_choice("schedule", self.schedule, tuple(SCHEDULES))
        check_range("epochs", self.epochs, 1, 100_000)
        check_range("batch", self.batch, 2, 1_000_000)

    @property
    def optimization(self) -> Optimization:
        """Adam as the settings have it."""
        return Optimization(
            epochs=self.epochs,
            rate=self.rate,
            weight_decay=self.weight_decay,
            optimizer="adam",
            schedule=self.schedule,
            betas=(self.beta1, 0.999),
            clip=None,
        )


def projectors(settings: GameSettings, problem: Problem) -> dict[Modality, NetworkTower]:
    """Return one projector per modality."""
    towers = {}
    for modality in problem.modalities:
        width = problem.dims[modality]
        wide = [settings.wide] if width > settings.wide else []
        network = mlp(
            [width, *wide, settings.hidden, settings.dim],
            activation=settings.activation,
            last="tanh",
            dropout=settings.dropout,
        )
        towers[modality] = NetworkTower(width, network)
    return towers


class ModalityGame(nn.Module):
    """The projectors and a critic of layers dim, dim/2, dim/4, one output per modality."""

    def __init__(self, towers: Towers, settings: GameSettings) -> None:
        super().__init__()
        self.towers = nn.ModuleDict({m.value: tower for m, tower in towers.items()})
        self.progress = 0.0
        self._settings = settings
        self.critic: nn.Module | None = None
        if settings.game != "off":
            dim = settings.dim
            widths = [dim, max(2, dim // 2), max(2, dim // 4), len(towers)]
            self.critic = mlp(widths, activation=settings.critic_activation)

    def outputs(self, features: Outputs, batch: Batch) -> dict[Modality, Tensor]:
        """Return what the projectors make of a batch, before the norm."""
        outputs = {}
        for modality, rows in batch.rows.items():
            tower = cast(NetworkTower, self.towers[modality.value])
            chosen = features[modality]
            outputs[modality] = tower.outputs(
                chosen[torch.from_numpy(rows).to(chosen.device)]
            )
        return outputs

    def critic_loss(self, outputs: Outputs) -> dict[str, Tensor]:
        """Return the critic's loss by name; nothing if there is no game.

        Its gradient comes to the projectors reversed, with the weight of the progress, or
        not at all if the game is ``detached``.
        """
        if self.critic is None:
            return {}
        weight = self._settings.game_weight * game_weight(self.progress)
        detached = self._settings.game == "detached"
        answers = [
            self.critic(rows.detach() if detached else reverse_gradient(rows, weight))
            for _, rows in sorted(outputs.items())
        ]
        return {"critic": modality_loss(answers)}


def play(
    model: nn.Module,
    game: ModalityGame,
    losses: Callable[[Outputs, Batch], Mapping[str, Tensor]],
    towers: Towers,
    train: TrainingData,
    validation: TrainingData | None,
    settings: GameSettings,
    context: FitContext,
) -> Training:
    """Train on pairs; the epoch best on validation is kept, the last without validation.

    Args:
        model: Holds everything that is trained, the game among it.
        game: Told of the progress.
        losses: Returns the terms of a batch, given the features of every item.
        towers: The projectors.
        train: Has pairs.
        validation: What chooses the epoch, if anything.
        settings: Optimiser, batches and whether to standardise.
        context: Seed, device and log.

    Raises:
        DataError: If there are no pairs or training diverges.
    """
    if settings.standardize:
        fit_standardizers(towers, train)
    rng = np.random.default_rng(context.seed)
    batches = PairBatches(train, settings.batch, rng, shuffle=settings.shuffle)
    model.to(context.device)
    features = {
        m: torch.from_numpy(train.features[m]).to(context.device) for m in train.modalities
    }

    def deal(epoch: int) -> PairBatches:
        game.progress = (epoch - 1) / settings.epochs
        return batches

    keeper = BestEpoch(towers, validation, context.log)
    train_epochs(
        model,
        deal,
        lambda batch: losses(features, batch),
        settings.optimization,
        steps_per_epoch=len(batches),
        device=context.device,
        after_epoch=keeper.see,
        checkpoints=context.checkpoints,
        beside=[keeper],
    )
    return keeper.finish()


def two_at_a_time(outputs: Outputs) -> list[tuple[Modality, Modality]]:
    """Return every unordered pair of modalities."""
    return list(combinations(sorted(outputs), 2))
