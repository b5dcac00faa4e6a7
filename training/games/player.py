"""A player: networks that take turns with others, and the optimisers that move them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from training.fitting.states import ModelState, NotedState, OptimizerState, Stateful


class Player:
    """One side of a game: it takes steps down losses of its own."""

    def __init__(
        self,
        networks: nn.Module,
        optimizers: Sequence[torch.optim.Optimizer],
        schedules: Sequence[torch.optim.lr_scheduler.LRScheduler] = (),
    ) -> None:
        """Take what it is made of.

        Args:
            networks: On their device.
            optimizers: Of their parameters; each was made with its highest rate.
            schedules: Of the optimisers' rates, by steps.
        """
        self.networks = networks
        self._optimizers = optimizers
        self._schedules = schedules

    def set_share(self, share: float) -> None:
        """Set every rate to a share of its highest."""
        for optimizer in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = share * optimizer.defaults["lr"]

    def step(self, loss: Tensor) -> None:
        """Take one step down the loss."""
        for optimizer in self._optimizers:
            optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        for optimizer in self._optimizers:
            optimizer.step()
        for schedule in self._schedules:
            schedule.step()

    @property
    def states(self) -> list[Stateful]:
        """What a checkpoint must hold of it."""
        return [
            ModelState(self.networks),
            *map(OptimizerState, self._optimizers),
            *map(NotedState, self._schedules),
        ]
