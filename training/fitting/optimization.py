"""Optimisation: which rule moves the weights, and how its rate changes over a training."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import nn

from crossmodal.errors import ConfigError
from training.config import check_choice


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment of a training.

    Attributes:
        step: Steps done, from 0.
        steps: Steps in all.
        epoch: The epoch under way, from 1.
        warmup: Share of the steps over which a rate may rise.
    """

    step: int
    steps: int
    epoch: int
    warmup: float = 0.0


def constant(moment: Moment) -> float:
    """Return 1: the rate never changes."""
    return 1.0


def cosine(moment: Moment) -> float:
    """Return the share of the highest rate: linear up, cosine down to zero."""
    rising = math.ceil(moment.warmup * moment.steps)
    if moment.step < rising:
        return (moment.step + 1) / rising
    falling = max(1, moment.steps - rising)
    return 0.5 * (1 + math.cos(math.pi * (moment.step - rising) / falling))


def warmup_step(moment: Moment) -> float:
    """Return a tenth rising to 1 over ten epochs, a tenth from 40 on, a hundredth from 70.

    Source:
        Zhang et al. 2023, Variational autoencoder with CCA for audio-visual cross-modal
        retrieval; the fall between the printed points is read as steps.
    """
    epoch = moment.epoch - 1
    if epoch < 10:
        return 0.1 + 0.9 * epoch / 9
    if epoch < 40:
        return 1.0
    return 0.1 if epoch < 70 else 0.01


SCHEDULES: Mapping[str, Callable[[Moment], float]] = {
    "constant": constant,
    "cosine": cosine,
    "warmup_step": warmup_step,
}
OPTIMIZERS = ("adamw", "adam", "adamax", "rmsprop", "sgd")


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimization:
    """How a network is trained.

    Attributes:
        epochs: How many.
        rate: Highest learning rate.
        weight_decay: Of matrices; vectors (biases, norms, temperatures) have none.
        optimizer: One of OPTIMIZERS.
        schedule: One of SCHEDULES.
        warmup: Share of the steps over which a cosine's rate rises from zero.
        betas: Of the Adam family.
        clip: Largest norm of the gradient; None does not clip.
    """

    epochs: int
    rate: float
    weight_decay: float = 0.0
    optimizer: str = "adamw"
    schedule: str = "cosine"
    warmup: float = 0.0
    betas: tuple[float, float] = (0.9, 0.999)
    clip: float | None = 5.0

    def __post_init__(self) -> None:
        check_choice("optimizer", self.optimizer, OPTIMIZERS)
        check_choice("schedule", self.schedule, tuple(SCHEDULES))
        if self.epochs < 1:
            raise ConfigError(f"epochs must be 1 or more, got {self.epochs}")

    def share(self, moment: Moment) -> float:
        """Return the share of the highest rate at a moment."""
        return SCHEDULES[self.schedule](moment)

    def optimizer_of(self, model: nn.Module) -> torch.optim.Optimizer:
        """Return the optimiser of everything in the model that takes gradients."""
        return make_optimizer(
            model.parameters(),
            self.optimizer,
            rate=self.rate,
            weight_decay=self.weight_decay,
            betas=self.betas,
        )


def make_optimizer(
    parameters: Iterable[nn.Parameter],
    name: str,
    *,
    rate: float,
    weight_decay: float = 0.0,
    betas: tuple[float, float] = (0.9, 0.999),
) -> torch.optim.Optimizer:
    """Return an optimiser by name; only matrices decay.

    Args:
        parameters: What it moves.
        name: One of OPTIMIZERS.
        rate: Learning rate.
        weight_decay: Of matrices.
        betas: Of the Adam family; without meaning for the others.

    Raises:
        ConfigError: If the name is unknown.
    """
    check_choice("optimizer", name, OPTIMIZERS)
    trained = [p for p in parameters if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if name == "adamw":
        return torch.optim.AdamW(groups, lr=rate, betas=betas, fused=True)
    if name == "adam":
        return torch.optim.Adam(groups, lr=rate, betas=betas, fused=True)
    if name == "adamax":
        return torch.optim.Adamax(groups, lr=rate, betas=betas)
    if name == "rmsprop":
        return torch.optim.RMSprop(groups, lr=rate)
    return torch.optim.SGD(groups, lr=rate)
