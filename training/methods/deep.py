"""Deep towers of two modalities trained to correlate: what DCCA and its kin share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from crossmodal.errors import ConfigError
from crossmodal.modality import Modality
from training.best_epoch import BestEpoch
from training.config import Settings, check_choice, check_range
from training.correlated_tower import CorrelatedTower, Outputs, fit_projections
from training.data import UNLABELED, TrainingData
from training.linear_cca import Moments
from training.loop import train_epochs
from training.losses.correlation import (
    OBJECTIVES,
    Covariances,
    canonical_correlations,
    class_covariances,
    pair_covariances,
)
from training.methods import linear
from training.methods.method import FitContext, Problem, Towers, Training
from training.networks import ACTIVATIONS, mlp
from training.optimization import OPTIMIZERS, SCHEDULES, Optimization
from training.pair_batches import PairBatches
from training.pair_sets import PairSet, check_shared_class, moments_of
from training.sampling import Batch

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


def build(settings: DeepSettings, problem: Problem) -> dict[Modality, CorrelatedTower]:
    """Return one untrained tower per modality.

    Raises:
        DataError: If there are not exactly two modalities.
    """
    linear.check_two(problem)
    towers = {}
    names = ("left_layers", "right_layers")
    for modality, name in zip(problem.modalities, names, strict=True):
        dim, widths = problem.dims[modality], widths_of(name, getattr(settings, name))
        network = mlp(
            [dim, *widths],
            activation=settings.activation,
            last=settings.last,
            dropout=settings.dropout,
            batch_norm=settings.batch_norm,
            shifts=False,
        )
        if settings.input_norm:
            network = nn.Sequential(nn.BatchNorm1d(dim), network)
        towers[modality] = CorrelatedTower(
            dim, network, outputs=widths[-1], components=settings.components
        )
    return towers


def fit(
    towers: Towers,
    train: TrainingData,
    validation: TrainingData | None,
    settings: DeepSettings,
    context: FitContext,
    pair_set: PairSet,
) -> Training:
    """Train on batches of pairs; after a scored epoch, project by CCA on all of train.

    Args:
        towers: Correlated towers.
        train: Pairs are drawn from classes if it has none.
        validation: Chooses the epoch; without it the last is kept.
        settings: Of the networks and their training.
        context: Seed, device, log.
        pair_set: Which pairs count, in batches and in the projection.

    Raises:
        DataError: If class pairs are asked for and there are none, if there are fewer
            than two pairs, or if training diverges.
    """
    if train.pairs is None:
        context.note("no pairs in the data: same-class pairs drawn")
    paired = train.with_drawn_pairs(context.seed)
    if pair_set.share < 1:
        check_shared_class(paired)
    prepared = prepare(towers, paired, context, divide=settings.standardize)
    model = nn.ModuleDict({m.value: tower for m, tower in towers.items()})
    batches = PairBatches(
        paired,
        settings.batch,
        np.random.default_rng(context.seed),
        shuffle=settings.shuffle,
    )
    compute = OBJECTIVES[settings.objective]
    partners = pair_set.partners(paired.labels[paired.modalities[1]])
    keeper = ProjectedEpochs(
        towers,
        prepared,
        validation,
        context,
        ridge=settings.ridge,
        moments=lambda outputs: moments_of(outputs, paired, pair_set),
    )

    def losses(batch: Batch) -> dict[str, Tensor]:
        covariances = covariances_of(towers, prepared, batch, pair_set, partners)
        correlations = canonical_correlations(covariances, settings.ridge)
        return {"loss": compute(correlations, settings.components)}

    train_epochs(
        model,
        lambda epoch: batches,
        losses,
        optimization_of(settings),
        steps_per_epoch=len(batches),
        device=context.device,
        after_epoch=lambda epoch, terms: keeper.see(
            epoch, terms, scored=is_scored(epoch, settings)
        ),
    )
    return keeper.finish()


@dataclass(frozen=True, slots=True)
class Prepared:
    """Training data whose features lie where the towers are trained."""

    data: TrainingData
    features: Mapping[Modality, Tensor]

    def rows(self, modality: Modality, batch: Batch) -> Tensor:
        """Return the features of a batch."""
        features = self.features[modality]
        return features[torch.from_numpy(batch.rows[modality]).to(features.device)]


def prepare(
    towers: Towers, train: TrainingData, context: FitContext, *, divide: bool
) -> Prepared:
    """Fit the standardisers, and move towers and features to the device."""
    for modality, tower in towers.items():
        correlated = cast(CorrelatedTower, tower)
        correlated.standardize.fit(train.features[modality], divide=divide)
        correlated.to(context.device)
    return Prepared(
        train,
        {m: torch.from_numpy(x).to(context.device) for m, x in train.features.items()},
    )


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
        self._context = context
        self._ridge = ridge
        self._moments = moments
        self._keeper = BestEpoch(towers, validation, context.log)

    def see(self, epoch: int, terms: Mapping[str, float], *, scored: bool) -> None:
        """Project and score after an epoch, or only log its losses."""
        if not scored:
            self._context.log({"epoch": epoch, **terms})
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

    def finish(self) -> Training:
        """Load the epoch kept into the towers."""
        return self._keeper.finish()


def optimization_of(settings: DeepSettings) -> Optimization:
    """Return how the networks are trained."""
    return Optimization(
        epochs=settings.epochs,
        rate=settings.rate,
        weight_decay=settings.weight_decay,
        optimizer=settings.optimizer,
        schedule=settings.schedule,
    )


def is_scored(epoch: int, settings: DeepSettings) -> bool:
    """Whether an epoch is scored: every so many, counted back from the last."""
    return (settings.epochs - epoch) % settings.score_every == 0


def covariances_of(
    towers: Towers,
    prepared: Prepared,
    batch: Batch,
    pair_set: PairSet,
    partners: np.ndarray,
) -> Covariances:
    """Return the covariances of the outputs of a batch over a pair set.

    Where a batch happens to hold no class pair, its true pairs count alone.

    Args:
        towers: Correlated towers, left modality first.
        prepared: Features by row.
        batch: Row i of both modalities is one pair.
        pair_set: Which pairs count.
        partners: Which right items take part in class pairs.
    """
    left, right = prepared.data.modalities
    ours, theirs = (
        cast(CorrelatedTower, towers[m]).outputs(prepared.rows(m, batch))
        for m in (left, right)
    )
    chosen = partners[batch.rows[right]]
    labels = batch.labels[left], np.where(chosen, batch.labels[right], UNLABELED)
    shared = np.intersect1d(*labels)
    if pair_set.share == 1 or not (shared != UNLABELED).any():
        return pair_covariances(ours, theirs)
    by_class = class_covariances(
        ours, theirs, *(torch.from_numpy(part).to(ours.device) for part in labels)
    )
    if not pair_set.takes_pairs():
        return by_class
    by_pair = pair_covariances(ours, theirs)
    blended = by_class.blend(by_pair, pair_set.share)
    return blended if pair_set.marginals == "matched" else blended.with_marginals(by_pair)
