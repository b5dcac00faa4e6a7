"""Settings of deep CCA and its kin, and those that its public code has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from crossmodal.errors import ConfigError
from training.config import Settings, check_choice, check_range
from training.correlation.pair_sets import PairSet
from training.fitting.optimization import OPTIMIZERS, SCHEDULES, Optimization
from training.losses.correlation import OBJECTIVES
from training.towers.networks import ACTIVATIONS

# The networks that are common to the published descriptions and the public code.
SIGMOID: dict[str, Any] = {
    "left_layers": "100-100-100-10",
    "right_layers": "100-100-100-10",
    "activation": "sigmoid",
    "dropout": 0.1,
    "batch_norm": False,
    "input_norm": True,
    "standardize": False,
    "ridge": 1e-4,
    "optimizer": "rmsprop",
    "rate": 1e-3,
    "weight_decay": 0.0,
    "schedule": "constant",
    "score_every": 1,
}
# How the public code trains on class pairs. Its L2 penalty of 1e-5 times the squared
# weights has twice the gradient of a weight decay of 1e-5.
AS_CODED: dict[str, Any] = {
    "objective": "norm",
    "marginals": "plain",
    "batch": 200,
    "shuffle": False,
    "weight_decay": 2e-5,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DeepSettings(Settings):
    """Settings of deep CCA.

    Attributes:
        k: Components, in the loss and of the embedding; at most the outputs.
        left_layers: Widths of the hidden layers and the output of the first modality's
            network (audio before visual, text before visual), as in ``100-100-10``.
        right_layers: Those of the second.
        activation: After every hidden layer.
        last: After the output.
        dropout: Share of hidden units dropped in training.
        batch_norm: Whether hidden layers are normalised before their activation.
        input_norm: Whether a learned batch norm stands before the first layer.
        standardize: Whether features are divided by their standard deviation.
        objective: ``sum`` of correlations; ``norm``, the root of their summed squares.
        ridge: Of the loss and of the final projection, relative to the mean variance.
        batch: Pairs per step; ten per output or more make the loss meaningful.
        shuffle: Whether pairs come in an order of chance.
        epochs: Passes over the pairs.
        optimizer: Which rule moves the weights.
        rate: Highest learning rate.
        weight_decay: Of matrices.
        schedule: How the rate changes.
        score_every: Epochs between two scorings on validation data.
    """

    k: int = 10
    left_layers: str = "256-256-20"
    right_layers: str = "256-256-20"
    activation: str = "relu"
    last: str = "linear"
    dropout: float = 0.5
    batch_norm: bool = True
    input_norm: bool = False
    standardize: bool = True
    objective: str = "sum"
    ridge: float = 0.1
    batch: int = 256
    shuffle: bool = True
    epochs: int = 30
    optimizer: str = "adamw"
    rate: float = 2e-3
    weight_decay: float = 1e-2
    schedule: str = "cosine"
    score_every: int = 2

    def __post_init__(self) -> None:
        check_range("k", self.k, 1, 4096)
        for name in ("left_layers", "right_layers"):
            widths_of(name, getattr(self, name))
        check_choice("activation", self.activation, tuple(ACTIVATIONS))
        check_choice("last", self.last, tuple(ACTIVATIONS))
        check_range("dropout", self.dropout, 0, 0.95)
        check_choice("objective", self.objective, tuple(OBJECTIVES))
        check_range("ridge", self.ridge, 1e-12, 1e6)
        check_range("batch", self.batch, 2, 1_000_000)
        check_range("epochs", self.epochs, 1, 100_000)
        check_choice("optimizer", self.optimizer, OPTIMIZERS)
        check_range("rate", self.rate, 1e-8, 10)
        check_range("weight_decay", self.weight_decay, 0, 10)
        check_choice("schedule", self.schedule, tuple(SCHEDULES))
        check_range("score_every", self.score_every, 1, 100_000)

    @property
    def components(self) -> int:
        """The embedding size: k, or the outputs of the narrower network."""
        outputs = (
            widths_of(name, getattr(self, name))[-1]
            for name in ("left_layers", "right_layers")
        )
        return min(self.k, *outputs)

    @property
    def optimization(self) -> Optimization:
        """How the networks are trained."""
        return Optimization(
            epochs=self.epochs,
            rate=self.rate,
            weight_decay=self.weight_decay,
            optimizer=self.optimizer,
            schedule=self.schedule,
        )

    def is_scored(self, epoch: int) -> bool:
        """Whether an epoch is scored: every so many, counted back from the last."""
        return (self.epochs - epoch) % self.score_every == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassDeepSettings(DeepSettings):
    """Settings of deep CCA over class pairs; the others are deep CCA's.

    Attributes:
        sigma: Share of the true pairs; the rest is the class pairs'.
        fraction: Share of each class's second-modality items that its first-modality
            items are paired with; 0 leaves the true pairs alone.
        marginals: ``matched`` weighs marginals as the cross covariance; ``plain`` takes
            those of the true pairs, as printed.
    """

    sigma: float = 0.2
    fraction: float = 1.0
    marginals: str = "matched"

    def __post_init__(self) -> None:
        DeepSettings.__post_init__(self)
        self.pair_set(0)

    def pair_set(self, seed: int) -> PairSet:
        """Return which pairs count."""
        return PairSet(
            sigma=self.sigma, fraction=self.fraction, marginals=self.marginals, seed=seed
        )


def widths_of(name: str, layers: str) -> tuple[int, ...]:
    """Return the widths written in a setting.

    Raises:
        ConfigError: If they are not positive whole numbers joined by hyphens.
    """
    parts = layers.split("-")
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise ConfigError(
            f"{name} must be positive widths joined by hyphens, as 100-100-10, "
            f"got {layers!r}"
        )
    return tuple(int(part) for part in parts)
