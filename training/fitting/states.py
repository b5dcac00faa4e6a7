"""States: what a training changes from epoch to epoch, as tensors and a JSON value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

Tensors = Mapping[str, Tensor]


@runtime_checkable
class Stateful(Protocol):
    """What changes from epoch to epoch."""

    def saved(self) -> tuple[Tensors, Any]:
        """Return its state as tensors and a JSON value."""

    def load(self, tensors: Tensors, notes: Any) -> None:
        """Take a state back."""


@dataclass(frozen=True, slots=True)
class ModelState:
    """Parameters and buffers of a network."""

    model: nn.Module

    def saved(self) -> tuple[Tensors, Any]:
        """Return the state dict."""
        return self.model.state_dict(), None

    def load(self, tensors: Tensors, notes: Any) -> None:
        """Load the state dict."""
        self.model.load_state_dict(dict(tensors))


@dataclass(frozen=True, slots=True)
class OptimizerState:
    """An optimiser's moments, steps and rates."""

    optimizer: torch.optim.Optimizer

    def saved(self) -> tuple[Tensors, Any]:
        """Return moments and steps by parameter, and the rate of every group."""
        tensors = {
            f"{number}.{name}": torch.as_tensor(value)
            for number, values in self.optimizer.state_dict()["state"].items()
            for name, value in values.items()
            if value is not None
        }
        return tensors, [group["lr"] for group in self.optimizer.param_groups]

    def load(self, tensors: Tensors, notes: Any) -> None:
        """Take moments, steps and rates back."""
        state: dict[int, dict[str, Tensor]] = {}
        for key, tensor in tensors.items():
            number, _, name = key.partition(".")
            state.setdefault(int(number), {})[name] = tensor
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": state, "param_groups": groups})
        for group, rate in zip(self.optimizer.param_groups, notes, strict=True):
            group["lr"] = rate


@dataclass(frozen=True, slots=True)
class NotedState:
    """What keeps a state dict of numbers alone: a schedule, a scaler of gradients."""

    part: torch.optim.lr_scheduler.LRScheduler | torch.amp.GradScaler

    def saved(self) -> tuple[Tensors, Any]:
        """Return the state dict."""
        return {}, self.part.state_dict()

    def load(self, tensors: Tensors, notes: Any) -> None:
        """Load the state dict."""
        self.part.load_state_dict(notes)


@dataclass(frozen=True, slots=True)
class GeneratorState:
    """A generator that a training draws from; those of samplers may be replayed instead."""

    rng: np.random.Generator | torch.Generator

    def saved(self) -> tuple[Tensors, Any]:
        """Return the generator's state."""
        if isinstance(self.rng, torch.Generator):
            return {"state": self.rng.get_state()}, None
        return {}, self.rng.bit_generator.state

    def load(self, tensors: Tensors, notes: Any) -> None:
        """Set the generator's state."""
        if isinstance(self.rng, torch.Generator):
            self.rng.set_state(tensors["state"])
        else:
            self.rng.bit_generator.state = notes


def torch_generators() -> dict[str, Tensor]:
    """Return the states of torch's own generators."""
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state()
    return states


def set_torch_generators(states: Tensors) -> None:
    """Set the states of torch's own generators."""
    torch.set_rng_state(states["cpu"])
    if "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"])
