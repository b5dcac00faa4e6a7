"""Checkpoints: where an interrupted training goes on, as safetensors with JSON inside.

A fit may train several networks one after another: each takes the next slot, in the order
in which it asks. As a fit is decided by its seed, the same slot is the same training when
the fit is started again; what was not saved is simply trained anew, with the same result.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from training.fitting.states import (
    Stateful,
    Tensors,
    set_torch_generators,
    torch_generators,
)

INTERVAL_S = 5.0  # between two saves: short trainings should not wait for the disk
OWNER = "owner.json"
NOTES, GENERATORS = "notes", "generators"


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

    def resume(self, parts: Sequence[Stateful]) -> Resumed | None:
        """Load what was saved; None, with nothing touched, if nothing usable was."""
        try:
            with safe_open(self._path, framework="pt") as file:
                notes = json.loads(file.metadata()[NOTES])
                tensors = {name: file.get_tensor(name) for name in file.keys()}
        except (OSError, SafetensorError, KeyError, TypeError, ValueError):
            return None
        self._store.earlier_s = max(self._store.earlier_s, notes["spent_s"])
        for number, (part, values) in enumerate(zip(parts, notes["parts"], strict=True)):
            part.load(_under(str(number), tensors), values)
        return Resumed(notes["epoch"], _under(GENERATORS, tensors))

    def save(self, epoch: int, parts: Sequence[Stateful]) -> None:
        """Save the state after an epoch, unless the last save was a moment ago."""
        if time.monotonic() - self._last < self._store.interval_s:
            return
        named: dict[str, Tensors] = {GENERATORS: torch_generators()}
        notes = []
        for number, part in enumerate(parts):
            named[str(number)], value = part.saved()
            notes.append(value)
        tensors = {
            f"{part}.{name}": tensor.detach().cpu().clone().contiguous()
            for part, own in named.items()
            for name, tensor in own.items()
        }
        kept = {"epoch": epoch, "parts": notes, "spent_s": self._store.spent_s}
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
    generators: Tensors


def epochs_left(
    checkpoints: Checkpoints | None,
    epochs: int,
    parts: Sequence[Stateful],
    replay: Callable[[int], object] = lambda epoch: None,
) -> Iterator[int]:
    """Yield the epochs still to be done, from 1 if none was; save after each.

    An interrupted training so goes on behind the last epoch saved and ends as it would
    have, to the bit. The iteration has to be run through: an epoch is saved when the next
    one is asked for.

    Args:
        checkpoints: Where the state is kept, if anywhere.
        epochs: How many there are in all.
        parts: Everything that changes from epoch to epoch but torch's own generators,
            which are kept in any case.
        replay: Called for each epoch done before, with its number, to move on what is no
            part: a sampler that deals the same batches again, unused.
    """
    slot = None if checkpoints is None else checkpoints.slot()
    resumed = None if slot is None else slot.resume(parts)
    done = 0 if resumed is None else resumed.epoch
    for epoch in range(1, done + 1):
        replay(epoch)
    if resumed is not None:
        set_torch_generators(resumed.generators)
    for epoch in range(done + 1, epochs + 1):
        yield epoch
        if slot is not None:
            slot.save(epoch, parts)


def _under(part: str, tensors: Tensors) -> Tensors:
    lead = f"{part}."
    return {n[len(lead) :]: t for n, t in tensors.items() if n.startswith(lead)}
