"""The fit of networks: their settings, batches of features, the epoch that is kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from crossmodal.modality import Modality
from training.batches.epoch_batches import ORDERS, EpochBatches
from training.batches.sampling import BalancedBatches, Batch
from training.config import Settings, check_choice, check_range
from training.data import TrainingData
from training.fitting.best_epoch import BestEpoch
from training.fitting.loop import train_epochs
from training.fitting.optimization import OPTIMIZERS, SCHEDULES, Optimization
from training.fitting.standardizing import fit_standardizers
from training.methods.method import FitContext, Towers, Training
from training.towers.networks import NetworkTower, modules_of

Features = Mapping[Modality, Tensor]
Outputs = Mapping[Modality, Tensor]
Batches = BalancedBatches | EpochBatches
Loss = Callable[[Features, Batch], Mapping[str, Tensor]]

SAMPLERS = ("balanced", *ORDERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSettings(Settings):
    """Settings of every method that trains networks on batches.

    Attributes:
        epochs: Passes over the training data.
        least_steps: Small data is passed over more often, until it gives that many steps.
        optimizer: One of OPTIMIZERS.
        rate: Highest learning rate.
        weight_decay: Of matrices.
        schedule: One of SCHEDULES.
        warmup: Share of the steps over which a cosine's rate rises.
        momentum: First beta of the Adam family.
        sampler: ``balanced`` deals P classes of K items; ``stratified`` keeps class
            shares, ``shuffled`` draws by chance, ``sequential`` goes by the file.
        batch: Items of a batch, unless balanced.
        classes_per_batch: P of balanced batches.
        items_per_class: K of balanced batches.
        score_every: Epochs from one scoring on validation data to the next.
    """

    epochs: int = 12
    least_steps: int = 200
    optimizer: str = "adamw"
    rate: float = 1e-3
    weight_decay: float = 1e-4
    schedule: str = "cosine"
    warmup: float = 0.05
    momentum: float = 0.9
    sampler: str = "balanced"
    batch: int = 256
    classes_per_batch: int = 10
    items_per_class: int = 20
    score_every: int = 1

    def __post_init__(self) -> None:
        check_range("epochs", self.epochs, 1, 100_000)
        check_range("least_steps", self.least_steps, 0, 100_000_000)
        check_choice("optimizer", self.optimizer, OPTIMIZERS)
        check_range("rate", self.rate, 1e-8, 10)
        check_range("weight_decay", self.weight_decay, 0, 10)
        check_choice("schedule", self.schedule, tuple(SCHEDULES))
        check_range("warmup", self.warmup, 0, 1)
        check_range("momentum", self.momentum, 0, 0.9999)
        check_choice("sampler", self.sampler, SAMPLERS)
        check_range("batch", self.batch, 2, 1_000_000)
        check_range("classes_per_batch", self.classes_per_batch, 2, 100_000)
        check_range("items_per_class", self.items_per_class, 1, 100_000)
        check_range("score_every", self.score_every, 1, 100_000)

    def optimization(self, batches: int) -> Optimization:
        """Return how the networks are trained, for a number of batches per epoch."""
        return Optimization(
            epochs=max(self.epochs, math.ceil(self.least_steps / batches)),
            rate=self.rate,
            weight_decay=self.weight_decay,
            optimizer=self.optimizer,
            schedule=self.schedule,
            warmup=self.warmup,
            betas=(self.momentum, 0.999),
        )

    def batches(self, train: TrainingData, seed: int, count: int | None = None) -> Batches:
        """Return the sampler.

        Args:
            train: What it deals from.
            seed: Decides every draw.
            count: Batches an epoch is cut into, in place of the size ``batch``.

        Raises:
            DataError: If there is too little to deal.
        """
        rng = np.random.default_rng(seed)
        if self.sampler == "balanced":
            return BalancedBatches(train, self.classes_per_batch, self.items_per_class, rng)
        if count is None:
            most = max(len(labels) for labels in train.labels.values())
            count = math.ceil(most / self.batch)
        return EpochBatches(train, count, rng, self.sampler)


def networks_of(
    towers: Towers, train: TrainingData, *, standardize: bool
) -> dict[Modality, NetworkTower]:
    """Return towers that are networks, told what to standardise features by if wanted."""
    if standardize:
        fit_standardizers(towers, train)
    return {m: cast(NetworkTower, tower) for m, tower in towers.items()}


def train_networks(
    towers: Towers,
    train: TrainingData,
    validation: TrainingData | None,
    settings: NetworkSettings,
    context: FitContext,
    losses: Callable[[Outputs, Batch], Mapping[str, Tensor]],
    *,
    standardize: bool,
    batches: Batches | None = None,
    **heads: nn.Module,
) -> Training:
    """Train networks in one stage; the epoch best on validation is kept, else the last.

    Args:
        towers: Networks, one per modality.
        train: Training split.
        validation: What epochs are scored on.
        settings: Batches, epochs, optimiser and rates.
        context: Seed, device, log.
        losses: Takes each modality's outputs for a batch, before the norm; returns the
            term minimised as ``loss`` beside those only logged.
        standardize: Whether features are centred and divided by their deviation.
        batches: In place of those of the settings.
        heads: What is trained with the towers and then dropped.

    Raises:
        DataError: If there is too little to deal, or training diverges.
    """
    networks = networks_of(towers, train, standardize=standardize)
    if batches is None:
        batches = settings.batches(train, context.seed)

    def loss(features: Features, batch: Batch) -> Mapping[str, Tensor]:
        outputs = {m: networks[m].outputs(rows) for m, rows in features.items()}
        return losses(outputs, batch)

    fitting = NetworkFit(
        towers,
        modules_of(towers, **heads),
        train,
        validation,
        context,
        settings.score_every,
    )
    fitting.run(batches, loss, settings.optimization(len(batches)))
    return fitting.finish()


class NetworkFit:
    """Trains a model whose towers are kept at the epoch best on validation data.

    Several stages may follow each other on the same towers; epochs count on.
    """

    def __init__(
        self,
        towers: Towers,
        model: nn.Module,
        train: TrainingData,
        validation: TrainingData | None,
        context: FitContext,
        score_every: int = 1,
        inputs: Features | None = None,
    ) -> None:
        """Move model and features to the device.

        Args:
            towers: What is scored and kept; the last epoch without validation data.
            model: Holds the towers and what only training needs.
            train: Training split.
            validation: What epochs are scored on.
            context: Seed, device, log.
            score_every: Epochs from one scoring to the next.
            inputs: What losses take instead of the features, row by row.
        """
        self.device = context.device
        self._model = model.to(context.device)
        self._validation = validation
        self._context = context
        self._score_every = score_every
        self._keeper = BestEpoch(towers, validation, context.log)
        self._done = 0
        self._features = {
            modality: rows.to(context.device)
            for modality, rows in (
                inputs or {m: torch.from_numpy(x) for m, x in train.features.items()}
            ).items()
        }

    def run(
        self,
        batches: Batches,
        loss: Loss,
        optimization: Optimization,
        after_step: Callable[[], None] = lambda: None,
    ) -> None:
        """Train for all epochs of one stage.

        Args:
            batches: Dealt once an epoch.
            loss: Takes each modality's rows of a batch; returns the term minimised as
                ``loss`` beside those only logged.
            optimization: Epochs, optimiser and rates.
            after_step: Called when the weights have moved.

        Raises:
            DataError: If the loss stops being a finite number.
        """
        before, last = self._done, self._done + optimization.epochs

        def after_epoch(epoch: int, losses: Mapping[str, float]) -> None:
            self._done = before + epoch
            scored = self._done % self._score_every == 0 or self._done == last
            if scored or self._validation is None:
                self._keeper.see(self._done, losses)
            else:
                self._keeper.pass_over(self._done, losses)

        train_epochs(
            self._model,
            lambda epoch: batches,
            lambda batch: loss(self._rows(batch), batch),
            optimization,
            steps_per_epoch=len(batches),
            device=self.device,
            after_step=after_step,
            after_epoch=after_epoch,
            checkpoints=self._context.checkpoints,
            beside=[self._keeper],
        )
        self._done = last

    def finish(self) -> Training:
        """Load the epoch kept into the towers."""
        return self._keeper.finish()

    def _rows(self, batch: Batch) -> Features:
        return {
            m: self._features[m][torch.from_numpy(rows).to(self.device)]
            for m, rows in batch.rows.items()
        }
