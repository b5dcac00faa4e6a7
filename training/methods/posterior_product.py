"""Class-posterior product: rank by the probability that two items share a class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import numpy as np
import torch
from jaxtyping import Bool, Float32
from torch import Tensor, nn

from crossmodal.errors import DataError
from crossmodal.modality import Modality
from training.classification.calibration import (
    Labels,
    Logits,
    fit_temperature,
    held_out_logits,
)
from training.classification.classifiers import (
    EnsembleClassifier,
    LinearClassifier,
    Standardized,
    fit_ensemble,
    fit_logistic,
)
from training.config import Settings, check_choice, check_range
from training.data import UNLABELED, TrainingData
from training.fitting.optimization import Optimization
from training.methods.method import FitContext, MethodCard, Problem, Towers
from training.towers.tower import Features, Standardizer, squared_lift

CLASSIFIERS = ("logistic", "mlp")
FOLDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class PosteriorSettings(Settings):
    """Settings of the class-posterior product.

    Attributes:
        classifier: ``logistic`` regression, or an ensemble of networks, ``mlp``.
        c: Inverse penalty of the logistic regression.
        calibrate: Whether a temperature per modality is fitted on held-out rows.
        members: Networks whose posteriors are averaged (mlp), and what follows.
        hidden: Width of a network's hidden layer.
        dropout: Share of it dropped in training.
        epochs: Passes over the training data.
        batch: Rows per step.
        rate: Highest learning rate of AdamW.
        weight_decay: Of AdamW.
    """

    classifier: str = "logistic"
    c: float = 0.01
    calibrate: bool = True
    members: int = 5
    hidden: int = 512
    dropout: float = 0.5
    epochs: int = 60
    batch: int = 256
    rate: float = 1e-3
    weight_decay: float = 1e-2

    def __post_init__(self) -> None:
        check_choice("classifier", self.classifier, CLASSIFIERS)
        check_range("c", self.c, 1e-8, 1e8)
        check_range("members", self.members, 1, 100)
        check_range("hidden", self.hidden, 1, 65536)
        check_range("dropout", self.dropout, 0, 0.95)
        check_range("epochs", self.epochs, 1, 100_000)
        check_range("batch", self.batch, 1, 1_000_000)
        check_range("rate", self.rate, 1e-8, 10)
        check_range("weight_decay", self.weight_decay, 0, 10)


class PosteriorProduct:
    r"""A calibrated classifier per modality; the score is $\sum_c p(c|x)\,p(c|y)$.

    If items are relevant to each other when their classes are equal, that sum is the
    probability of relevance, and ranking by it is optimal for the posteriors at hand.
    Posteriors are lifted to unit norm by one more dimension per modality, which changes
    no product between modalities; a query inside one modality zeroes them.

    Source:
        Robertson 1977, The probability ranking principle in IR.
    """

    card: ClassVar[MethodCard] = MethodCard(
        name="posterior_product",
        title="Class-posterior product",
        source="Robertson 1977 (ranking principle); this project",
        supervision="labels",
        needs_pairs=False,
        embedding="class probabilities, lifted to unit norm",
        exportable=True,
    )
    presets: ClassVar[Mapping[str, PosteriorSettings]] = {
        "paper": PosteriorSettings(classifier="mlp"),
        "tuned": PosteriorSettings(hidden=256, epochs=30, batch=128),
    }
    grids: ClassVar[tuple[Mapping[str, tuple[Any, ...]], ...]] = (
        {"classifier": ("logistic",), "c": (0.001, 0.003, 0.01, 0.03, 0.1, 1.0)},
        {"classifier": ("mlp",)},
    )

    def build(self, settings: PosteriorSettings, problem: Problem) -> Towers:
        """Return a classifier per modality, each with a lift dimension of its own."""
        return {
            modality: PosteriorTower(
                _classifier(settings, problem.dims[modality], problem.classes),
                dim=problem.dims[modality],
                classes=problem.classes,
                lift=number,
                lifts=len(problem.dims),
            )
            for number, modality in enumerate(problem.modalities)
        }

    def fit(
        self,
        towers: Towers,
        train: TrainingData,
        validation: TrainingData | None,
        settings: PosteriorSettings,
        context: FitContext,
    ) -> None:
        """Fit each classifier, then its temperature.

        The temperature comes from the validation data; without it, from each training
        row's logits by a classifier fitted without that row's fold.

        Raises:
            DataError: If a modality has fewer than two classes.
        """
        for number, modality in enumerate(train.modalities):
            tower = cast(PosteriorTower, towers[modality])
            rng = np.random.default_rng((context.seed, number))
            features, labels = _labeled(train, modality)
            if len(np.unique(labels)) < 2:
                raise DataError(
                    f"{modality}: a classifier needs two labeled classes or more"
                )
            tower.standardize.fit(features)
            rows = tower.standardize.transform(features)
            _fit(tower.classifier, rows, labels, settings, rng, context)
            if not settings.calibrate:
                continue
            if validation is not None:
                held_out, truth = _labeled(validation, modality)
                known = np.isin(truth, labels)
                held_out, truth = held_out[known], truth[known]
                logits = _logits(tower.classifier, tower.standardize.transform(held_out))
            else:
                logits, truth = _held_out(rows, labels, train, settings, rng, context)
            if len(truth):
                tower.temperature.fill_(fit_temperature(logits, truth))

    def refits(self, settings: PosteriorSettings) -> bool:
        """Logistic regression needs no validation data once its penalty is chosen."""
        return settings.classifier == "logistic"

    def same_modality_mask(
        self, settings: PosteriorSettings, problem: Problem
    ) -> tuple[int, ...]:
        """The lift dimensions: within a modality they would count as likeness."""
        return tuple(range(problem.classes, problem.classes + len(problem.dims)))


class PosteriorTower(nn.Module):
    """Standardise, classify, divide by the temperature, average, lift to unit norm."""

    temperature: Tensor

    def __init__(
        self,
        classifier: LinearClassifier | EnsembleClassifier,
        *,
        dim: int,
        classes: int,
        lift: int,
        lifts: int,
    ) -> None:
        super().__init__()
        self.standardize = Standardizer(dim)
        self.classifier = classifier
        self.register_buffer("temperature", torch.ones(()))
        place = torch.zeros(lifts)
        place[lift] = 1
        self.register_buffer("place", place, persistent=False)
        self.place: Tensor

    def forward(self, features: Features) -> Float32[Tensor, "batch lifted"]:
        """Return posteriors and their lift."""
        logits = self.classifier(self.standardize(features)) / self.temperature
        posterior = torch.softmax(logits, dim=2).mean(dim=0)
        lift = squared_lift(posterior).clamp(min=0).sqrt() * self.place
        return torch.cat([posterior, lift], dim=1)


def _classifier(
    settings: PosteriorSettings, dim: int, classes: int
) -> LinearClassifier | EnsembleClassifier:
    if settings.classifier == "logistic":
        return LinearClassifier(dim, classes)
    return EnsembleClassifier(
        dim,
        classes,
        members=settings.members,
        hidden=settings.hidden,
        dropout=settings.dropout,
    )


def _fit(
    classifier: LinearClassifier | EnsembleClassifier,
    rows: Standardized,
    labels: Labels,
    settings: PosteriorSettings,
    rng: np.random.Generator,
    context: FitContext,
) -> None:
    if isinstance(classifier, LinearClassifier):
        fit_logistic(classifier, rows, labels, c=settings.c, note=context.note)
        return
    training = Optimization(
        epochs=settings.epochs, rate=settings.rate, weight_decay=settings.weight_decay
    )
    fit_ensemble(
        classifier,
        rows,
        labels,
        training=training,
        batch=settings.batch,
        device=context.device,
        rng=rng,
        checkpoints=context.checkpoints,
    )


Mask = Bool[np.ndarray, "items"]


def _held_out(
    rows: Standardized,
    labels: Labels,
    train: TrainingData,
    settings: PosteriorSettings,
    rng: np.random.Generator,
    context: FitContext,
) -> tuple[Logits, Labels]:
    def fit(known: Mask) -> Callable[[Mask], Logits]:
        classifier = _classifier(settings, rows.shape[1], len(train.classes))
        _fit(classifier, rows[known], labels[known], settings, rng, context)
        return lambda held_out: _logits(classifier, rows[held_out])

    return held_out_logits(fit, labels, FOLDS, rng)


@torch.no_grad()
def _logits(classifier: nn.Module, rows: Standardized) -> Logits:
    logits: Logits = classifier.eval()(torch.from_numpy(rows).float()).double().numpy()
    return logits


def _labeled(
    data: TrainingData, modality: Modality
) -> tuple[Float32[np.ndarray, "items dim"], Labels]:
    known = data.labels[modality] != UNLABELED
    return data.features[modality][known], data.labels[modality][known]
