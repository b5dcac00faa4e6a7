"""Checkpoints: where an interrupted training goes on, as safetensors with JSON inside.

A fit may train several networks one after another: each takes the next slot, in the order
in which it asks. As a fit is decided by its seed, the same slot is the same training when
the fit is started again; what was not saved is simply trained anew, with the same result.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

INTERVAL_S = 5.0  # between two saves: short trainings should not wait for the disk
OWNER = "owner.json"
NOTES = "notes"

Tensors = dict[str, Tensor]


@runtime_checkable
class Stateful(Protocol):
    """What changes from epoch to epoch beside the model and its optimiser."""

    def saved(self) -> tuple[Mapping[str, Tensor], Any]:
        """Return its state as tensors and a JSON value."""

    def load(self, tensors: Mapping[str, Tensor], notes: Any) -> None:
        """Take a state back."""


@dataclass(frozen=True, slots=True)
class GeneratorState:
    """A numpy generator that losses draw from; a sampler's is replayed instead."""

    rng: np.random.Generator

    def saved(self) -> tuple[Mapping[str, Tensor], Any]:
        """Return the generator's state."""
        return {}, self.rng.bit_generator.state

    def load(self, tensors: Mapping[str, Tensor], notes: Any) -> None:
        """Set the generator's state."""
        self.rng.bit_generator.state = notes


class Checkpoints:
    """The slots of one fit, in a folder of their own.

    Args:
        folder: Where they are kept; made when something is saved.
        fingerprint: What the fit depends on. Checkpoints of another are thrown away.
        interval_s: Seconds between two saves of one training; default INTERVAL_S.

    Attributes:
        earlier_s: Seconds that the fit had taken when what was loaded was saved.
    """

    def __init__(
        self, folder: Path, *, fingerprint: str, interval_s: float | None = None
    ) -> None:
        self._folder = folder
        self._fingerprint = fingerprint
        self.interval_s = INTERVAL_S if interval_s is None else interval_s
        self.earlier_s = 0.0
        self._taken = 0
        self._started = time.monotonic()
        if folder.exists() and self._owner() != fingerprint:
            shutil.rmtree(folder)

    def slot(self) -> Slot:
        """Return the next slot."""
        self._taken += 1
        return Slot(self, self._folder / f"{self._taken:04}.safetensors")

    @property
    def spent_s(self) -> float:
        """Seconds that the fit has taken so far, interruptions not counted."""
        return self.earlier_s + time.monotonic() - self._started

    def claim(self) -> None:
        """Make the folder and say whose it is."""
        if self._owner() != self._fingerprint:
            self._folder.mkdir(parents=True, exist_ok=True)
            (self._folder / OWNER).write_text(json.dumps(self._fingerprint))

    def _owner(self) -> Any:
        try:
            return json.loads((self._folder / OWNER).read_text())
        except (OSError, ValueError):
            return None


class Slot:
    """The checkpoint of one training, replaced whenever it has gone on for a while."""

    def __init__(self, store: Checkpoints, path: Path) -> None:
        self._store = store
        self._path = path
        self._last = time.monotonic()

    def resume(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        scaler: torch.amp.GradScaler,
        beside: Sequence[Stateful],
    ) -> Resumed | None:
        """Load what was saved; None, with nothing touched, if nothing usable was."""
        try:
            with safe_open(self._path, framework="pt") as file:
                notes = json.loads(file.metadata()[NOTES])
                tensors = {name: file.get_tensor(name) for name in file.keys()}
        except (OSError, SafetensorError, KeyError, TypeError, ValueError):
            return None
        self._store.earlier_s = max(self._store.earlier_s, notes["spent_s"])
        model.load_state_dict(_under("model", tensors))
        _load_optimizer(optimizer, _under("optimizer", tensors))
        scaler.load_state_dict(notes["scaler"])
        for number, (part, values) in enumerate(zip(beside, notes["beside"], strict=True)):
            part.load(_under(f"beside{number}", tensors), values)
        return Resumed(notes["epoch"], _under("rng", tensors))

    def save(
        self,
        epoch: int,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        scaler: torch.amp.GradScaler,
        beside: Sequence[Stateful],
    ) -> None:
        """Save the state after an epoch, unless the last save was a moment ago."""
        if time.monotonic() - self._last < self._store.interval_s:
            return
        parts: dict[str, Mapping[str, Tensor]] = {
            "model": model.state_dict(),
            "optimizer": _optimizer_state(optimizer),
            "rng": _generators(),
        }
        notes = []
        for number, part in enumerate(beside):
            parts[f"beside{number}"], value = part.saved()
            notes.append(value)
        tensors = {
            f"{part}.{name}": tensor.detach().cpu().clone().contiguous()
            for part, named in parts.items()
            for name, tensor in named.items()
        }
        kept = {
            "epoch": epoch,
            "scaler": scaler.state_dict(),
            "beside": notes,
            "spent_s": self._store.spent_s,
        }
        self._store.claim()
        draft = self._path.with_suffix(".new")
        save_file(tensors, draft, metadata={NOTES: json.dumps(kept)})
        draft.replace(self._path)
        self._last = time.monotonic()


@dataclass(frozen=True, slots=True)
class Resumed:
    """A training that was taken up again.

    Attributes:
        epoch: The last epoch done.
        generators: States of torch's generators after it.
    """

    epoch: int
    generators: Mapping[str, Tensor]

    def restore_generators(self) -> None:
        """Set torch's generators; to be called when the epochs done were replayed."""
        torch.set_rng_state(self.generators["cpu"])
        if "cuda" in self.generators:
            torch.cuda.set_rng_state(self.generators["cuda"])


def _under(part: str, tensors: Mapping[str, Tensor]) -> Tensors:
    lead = f"{part}."
    return {n[len(lead) :]: t for n, t in tensors.items() if n.startswith(lead)}


def _generators() -> Tensors:
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state()
    return states


def _optimizer_state(optimizer: torch.optim.Optimizer) -> Tensors:
    return {
        f"{number}.{name}": torch.as_tensor(value)
        for number, values in optimizer.state_dict()["state"].items()
        for name, value in values.items()
        if value is not None
    }


def _load_optimizer(optimizer: torch.optim.Optimizer, tensors: Tensors) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        number, _, name = key.partition(".")
        state.setdefault(int(number), {})[name] = tensor
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
