"""Projected epochs: correlated towers scored with the projection that CCA then has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from training.batches.prepared import Prepared
from training.correlation.linear_cca import Moments
from training.data import TrainingData
from training.fitting.best_epoch import BestEpoch
from training.methods.method import FitContext, Towers, Training
from training.towers.correlated_tower import Outputs, fit_projections


class ProjectedEpochs:
    """Keeps the best epoch, its projection solved on all of the training data."""

    def __init__(
        self,
        towers: Towers,
        prepared: Prepared,
        validation: TrainingData | None,
        context: FitContext,
        *,
        ridge: float,
        moments: Callable[[Outputs], Moments] | None,
    ) -> None:
        """Watch towers; without moments their outputs are the embedding as they are."""
        self._towers = towers
        self._prepared = prepared
        self._ridge = ridge
        self._moments = moments
        self._keeper = BestEpoch(towers, validation, context.log)

    def see(self, epoch: int, terms: Mapping[str, float], *, scored: bool) -> None:
        """Project and score after an epoch, or only log its losses."""
        if not scored:
            self._keeper.pass_over(epoch, terms)
            return
        if self._moments is not None:
            fit_projections(
                self._towers,
                self._prepared.data,
                self._prepared.features,
                self._moments,
                ridge=self._ridge,
            )
        self._keeper.see(epoch, terms)

    def tell(self, record: dict[str, Any]) -> None:
        """Log what is no epoch of this training, as ``BestEpoch.tell`` does."""
        self._keeper.tell(record)

    def saved(self) -> tuple[Mapping[str, Tensor], Any]:
        """Return what a checkpoint must hold of the epochs seen."""
        return self._keeper.saved()

    def load(self, tensors: Mapping[str, Tensor], notes: Any) -> None:
        """Take the epochs seen before an interruption."""
        self._keeper.load(tensors, notes)

    def finish(self) -> Training:
        """Load the epoch kept into the towers."""
        return self._keeper.finish()
