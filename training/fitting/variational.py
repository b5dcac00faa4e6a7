"""Two autoencoders with shared latent layers: towers, their training parts, the losses."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations, combinations_with_replacement
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from crossmodal.modality import Modality
from training.batches.pair_batches import PairBatches
from training.batches.prepared import Prepared
from training.batches.sampling import Batch
from training.config import Settings, check_choice, check_range
from training.data import TrainingData
from training.fitting.class_centers import ClassCenters
from training.fitting.optimization import SCHEDULES, Optimization
from training.fitting.standardizing import fit_standardizers
from training.losses.label import class_likelihood, label_loss
from training.losses.pair_distance import pair_distance
from training.losses.variational import divergence, reconstruction, sample
from training.methods.method import FitContext, Problem, Towers
from training.towers.correlated_tower import CorrelatedTower
from training.towers.networks import NetworkTower, mlp

CENTERS = ("learned", "random")
LIKENESSES = ("cosine", "pearson")
SHARED = ("relu", "linear")


@dataclass(frozen=True, slots=True, kw_only=True)
class VariationalSettings(Settings):
    """Settings of two autoencoders whose latent space is shaped by labels and pairs.

    Attributes:
        hidden: Width of each modality's own layer.
        shared: Width of the layer that modalities share.
        latent: Size of the latent space.
        activation: Of the shared layer; own layers have ReLU.
        decoder: Width of the decoder's layer before the one of width ``hidden``; 0 for
            none.
        dropout: Share of the own layer dropped in training.
        standardize: Whether features are standardised first.
        variational_weight: Weight of reconstruction and divergence.
        likelihood_weight: Weight of the likelihood that pairs share a class.
        distance_weight: Weight of the distance between partners.
        center_weight: Weight of the distance to the class's centre.
        likeness: What the likelihood compares latents by.
        centers: ``learned``, or ``random`` ones drawn at every batch.
        literal_sums: Whether the divergence is summed over the batch and the
            reconstruction averaged over features.
        sampled: Whether labels, pairs and centres act on sampled latents, not on means.
        rate: Highest learning rate.
        beta1: Adam's decay of the mean gradient.
        weight_decay: Of matrices.
        schedule: Of the rate.
        epochs: Passes over the pairs.
        least_steps: Small data is passed over more often, until it gives that many steps.
        batch: Pairs per batch.
        shuffle: Whether pairs come in an order of chance.
        score_every: Epochs between two scorings on validation data.
    """

    hidden: int = 512
    shared: int = 64
    latent: int = 64
    activation: str = "relu"
    decoder: int = 64
    dropout: float = 0.3
    standardize: bool = True
    variational_weight: float = 1e-4
    likelihood_weight: float = 1e-3
    distance_weight: float = 0.1
    center_weight: float = 0.01
    likeness: str = "cosine"
    centers: str = "learned"
    literal_sums: bool = False
    sampled: bool = False
    rate: float = 1e-3
    beta1: float = 0.9
    weight_decay: float = 1e-4
    schedule: str = "cosine"
    epochs: int = 40
    least_steps: int = 600
    batch: int = 1024
    shuffle: bool = True
    score_every: int = 2

    def __post_init__(self) -> None:
        for name in ("hidden", "shared", "latent"):
            check_range(name, getattr(self, name), 1, 65536)
        check_choice("activation", self.activation, SHARED)
        check_range("decoder", self.decoder, 0, 65536)
        check_range("dropout", self.dropout, 0, 0.95)
        for name in ("variational", "likelihood", "distance", "center"):
            check_range(f"{name}_weight", getattr(self, f"{name}_weight"), 0, 1e6)
        check_choice("likeness", self.likeness, LIKENESSES)
        check_choice("centers", self.centers, CENTERS)
        check_range("rate", self.rate, 1e-8, 10)
        check_range("beta1", self.beta1, 0, 0.9999)
        check_range("weight_decay", self.weight_decay, 0, 10)
        check_choice("schedule", self.schedule, tuple(SCHEDULES))
        check_range("epochs", self.epochs, 1, 100_000)
        check_range("least_steps", self.least_steps, 0, 100_000_000)
        check_range("batch", self.batch, 2, 1_000_000)
        check_range("score_every", self.score_every, 1, 100_000)

    def passes(self, batches: int) -> int:
        """Return the epochs to train for, given the batches of one."""
        return max(self.epochs, math.ceil(self.least_steps / batches))

    def is_scored(self, epoch: int, passes: int) -> bool:
        """Whether an epoch is scored: every so many, or one in twenty, up to the last."""
        return (passes - epoch) % max(self.score_every, passes // 20) == 0

    def optimization(self, epochs: int, schedule: str) -> Optimization:
        """Return Adam over so many epochs."""
        return Optimization(
            epochs=epochs,
            rate=self.rate,
            weight_decay=self.weight_decay,
            optimizer="adam",
            schedule=schedule,
            betas=(self.beta1, 0.999),
        )


def encoders(
    settings: VariationalSettings, problem: Problem
) -> dict[Modality, nn.Sequential]:
    """Return each modality's network to latent means; all but its first layer is shared."""
    shared = nn.Linear(settings.hidden, settings.shared)
    mean = nn.Linear(settings.shared, settings.latent)
    networks = {}
    for modality in problem.modalities:
        own = [nn.Linear(problem.dims[modality], settings.hidden), nn.ReLU()]
        regularized = [nn.Dropout(settings.dropout)] if settings.dropout else []
        last = [nn.ReLU()] if settings.activation == "relu" else []
        networks[modality] = nn.Sequential(
            nn.Sequential(*own, *regularized, shared, *last), mean
        )
    return networks


@dataclass(frozen=True, slots=True)
class Latent:
    """What an encoder makes of a batch.

    Attributes:
        features: Standardised features, which the decoder is to rebuild.
        mean: Of the posterior.
        log_variance: Of the posterior.
        drawn: A sample of it.
    """

    features: Tensor
    mean: Tensor
    log_variance: Tensor
    drawn: Tensor


class VariationalModel(nn.Module):
    """The towers with log variance, decoders and label head, which only training needs."""

    def __init__(
        self, towers: Towers, problem: Problem, settings: VariationalSettings
    ) -> None:
        super().__init__()
        self.settings = settings
        self.towers = nn.ModuleDict({m.value: tower for m, tower in towers.items()})
        self.log_variance = nn.Linear(settings.shared, settings.latent)
        inner = [settings.decoder] if settings.decoder else []
        self.decoders = nn.ModuleDict(
            {
                m.value: mlp([settings.latent, *inner, settings.hidden, dim])
                for m, dim in problem.dims.items()
            }
        )
        self.head = nn.Linear(settings.latent, problem.classes)

    def latents(self, features: Mapping[Modality, Tensor]) -> dict[Modality, Latent]:
        """Return latents of each modality's rows."""
        found = {}
        for modality, rows in features.items():
            tower = cast(NetworkTower | CorrelatedTower, self.towers[modality.value])
            standardized = tower.standardize(rows)
            body, head = cast(Any, tower.network)
            shared = body(standardized)
            mean, log_variance = head(shared).float(), self.log_variance(shared).float()
            drawn = sample(mean, log_variance)
            found[modality] = Latent(standardized, mean, log_variance, drawn)
        return found

    def autoencoding(self, latents: Mapping[Modality, Latent]) -> Tensor:
        """Return reconstruction and divergence, summed over modalities."""
        literal = self.settings.literal_sums
        parts = []
        for modality, latent in latents.items():
            rebuilt = self.decoders[modality.value](latent.drawn).float()
            parts.append(reconstruction(latent.features, rebuilt, averaged=literal))
            parts.append(divergence(latent.mean, latent.log_variance, summed=literal))
        return torch.stack(parts).sum()

    def terms(
        self, latents: Mapping[Modality, Latent], batch: Batch, centers: ClassCenters
    ) -> dict[str, Tensor]:
        """Return every term, unweighted; row i of all modalities is one pair."""
        rows = {
            m: latent.drawn if self.settings.sampled else latent.mean
            for m, latent in latents.items()
        }
        device = next(iter(rows.values())).device
        labels = {m: torch.from_numpy(part).to(device) for m, part in batch.labels.items()}
        likelihoods, apart = [], []
        for one, other in combinations_with_replacement(sorted(rows), 2):
            ours, theirs = (self._compared(rows[m]) for m in (one, other))
            likelihoods.append(class_likelihood(ours, theirs, labels[one], labels[other]))
        for one, other in combinations(sorted(rows), 2):
            apart.append(pair_distance(rows[one], rows[other]))
        by_label = [label_loss(self.head(part), labels[m]) for m, part in rows.items()]
        by_center = [centers.loss(part, labels[m]) for m, part in rows.items()]
        return {
            "label": torch.stack(by_label).sum(),
            "variational": self.autoencoding(latents),
            "likelihood": torch.stack(likelihoods).sum(),
            "distance": torch.stack(apart).sum(),
            "center": torch.stack(by_center).sum(),
        }

    def total(self, terms: Mapping[str, Tensor]) -> Tensor:
        """Return the weighted sum of terms; the label's weight is 1."""
        weights = {
            "label": 1.0,
            "variational": self.settings.variational_weight,
            "likelihood": self.settings.likelihood_weight,
            "distance": self.settings.distance_weight,
            "center": self.settings.center_weight,
        }
        parts = [weight * terms[name] for name, weight in weights.items()]
        return torch.stack(parts).sum()

    def _compared(self, rows: Tensor) -> Tensor:
        """Return rows whose cosine is the likeness; Pearson's centres each over itself."""
        if self.settings.likeness == "cosine":
            return rows
        return rows - rows.mean(dim=1, keepdim=True)


@dataclass(frozen=True, slots=True)
class VariationalParts:
    """What a fit is made of: the model, class centres, data where it lies, its batches."""

    model: VariationalModel
    centers: ClassCenters
    prepared: Prepared
    batches: PairBatches


def parts_of(
    towers: Towers, train: TrainingData, settings: VariationalSettings, context: FitContext
) -> VariationalParts:
    """Return the parts of a fit on pairs; the towers are told how to standardise."""
    model = VariationalModel(towers, Problem.of(train), settings).to(context.device)
    centers = ClassCenters(
        len(train.classes),
        settings.latent,
        learned=settings.centers == "learned",
        device=context.device,
    )
    if settings.standardize:
        fit_standardizers(towers, train)
    rng = np.random.default_rng(context.seed)
    batches = PairBatches(train, settings.batch, rng, shuffle=settings.shuffle)
    return VariationalParts(model, centers, Prepared.on(context.device, train), batches)
