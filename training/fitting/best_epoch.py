"""Best epoch: the weights that validation prefers, and the last ones beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from training.data import TrainingData
from training.methods.method import Towers, Training, flat_state, load_flat_state
from training.protocol.validation import score


class BestEpoch:
    """Scores every epoch and keeps the best; without validation data, the last."""

    def __init__(
        self,
        towers: Towers,
        validation: TrainingData | None,
        log: Callable[[dict[str, Any]], None],
    ) -> None:
        """Watch towers that are trained in place.

        Args:
            towers: The towers.
            validation: What to score them on, if anything.
            log: Takes each epoch's record.
        """
        self._towers = towers
        self._validation = validation
        self._log = log
        self._state: Mapping[str, Tensor] = {}
        self._best_epoch = 0
        self._best: float | None = None
        self._last: float | None = None
        self._records: list[dict[str, Any]] = []

    def see(self, epoch: int, terms: Mapping[str, float]) -> None:
        """Score the towers as they are after an epoch and log it with its losses."""
        record: dict[str, Any] = {"epoch": epoch, **terms}
        if self._validation is not None:
            found = score(self._towers, self._validation)
            record |= {"validation": found.mean, **found.directions}
            self._last = found.mean
        self.tell(record)
        if self._best is None or self._last is None or self._last > self._best:
            self._best, self._best_epoch = self._last, epoch
            self._state = flat_state(self._towers)

    def pass_over(self, epoch: int, terms: Mapping[str, float]) -> None:
        """Log an epoch without scoring it."""
        self.tell({"epoch": epoch, **terms})

    def tell(self, record: dict[str, Any]) -> None:
        """Log a record, such as that of a stage before; once, interrupted or not."""
        self._records.append(record)
        self._log(record)

    def saved(self) -> tuple[Mapping[str, Tensor], Any]:
        """Return what a checkpoint must hold of the epochs seen."""
        seen = {"epoch": self._best_epoch, "best": self._best, "last": self._last}
        return self._state, {**seen, "records": self._records}

    def load(self, tensors: Mapping[str, Tensor], notes: Any) -> None:
        """Take the epochs seen before an interruption, and log them again."""
        self._state = tensors
        self._best_epoch = notes["epoch"]
        self._best, self._last = notes["best"], notes["last"]
        for record in notes["records"][len(self._records) :]:  # none of them twice
            self.tell(record)

    def finish(self) -> Training:
        """Load the epoch kept into the towers, which are moved to the CPU."""
        last = flat_state(self._towers)
        for tower in self._towers.values():
            tower.eval().to("cpu")
        load_flat_state(self._towers, self._state)
        return Training(
            best_epoch=self._best_epoch,
            best_score=self._best,
            last_score=self._last,
            last_state=last,
        )
