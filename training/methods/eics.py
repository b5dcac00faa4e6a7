"""EICS: an explicit subspace of correlation, an implicit one of labels, joined by CCA."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any, ClassVar, cast

import numpy as np
import torch
from torch import Tensor, nn

from crossmodal.errors import DataError
from training.batches.pair_batches import PairBatches
from training.batches.prepared import Prepared, prepare
from training.batches.sampling import Batch
from training.config import Settings, check_choice, check_range
from training.correlation.pair_sets import PairSet, moments_of
from training.data import UNLABELED, TrainingData
from training.fitting.loop import train_epochs
from training.fitting.optimization import OPTIMIZERS, SCHEDULES, Optimization
from training.fitting.projected_epochs import ProjectedEpochs
from training.losses.correlation import correlation_loss
from training.losses.label import label_loss
from training.losses.orthogonality import orthogonality
from training.methods import linear
from training.methods.deep_settings import widths_of
from training.methods.kinds import EpochChosen
from training.methods.method import FitContext, MethodCard, Problem, Towers, Training
from training.towers.correlated_tower import CorrelatedTower
from training.towers.networks import mlp

SPACES = ("both", "explicit", "implicit", "ex_im_share")
SHARED = "shared"


@dataclass(frozen=True, slots=True, kw_only=True)
class EicsSettings(Settings):
    """Settings of the dual-subspace method and its ablations.

    Attributes:
        space: ``both`` joins the subspaces; ``explicit`` and ``implicit`` train without
            the other's loss and read one; ``ex_im_share`` has one network per modality
            take every loss.
        k: Components of the final CCA; at most its outputs.
        left_hidden: Widths of the hidden layers of the first modality's networks (audio
            before visual, text before visual), as in ``1024-1024``.
        right_hidden: Those of the second's.
        alpha: Weight of the label loss.
        beta: Weight of the constraint.
        cross_implicit: Whether the constraint also holds the two modalities' implicit
            outputs apart, which the label loss brings together.
        dropout: Share of hidden units dropped in training.
        batch_norm: Whether hidden layers are normalised before their activation.
        standardize: Whether features are divided by their standard deviation.
        ridge: Of the correlation loss and of the final CCA, relative to the variance.
        sigma: Share of the true pairs in the final CCA; the rest is the class pairs'.
        batch: Pairs per step; ten per class or more make the correlation meaningful.
        epochs: Passes over the pairs.
        optimizer: Which rule moves the weights.
        rate: Highest learning rate.
        weight_decay: Of matrices.
        schedule: How the rate changes.
        score_every: Epochs between two scorings on validation data.
    """

    space: str = "both"
    k: int = 10
    left_hidden: str = "256"
    right_hidden: str = "256"
    alpha: float = 1.0
    beta: float = 0.001
    cross_implicit: bool = False
    dropout: float = 0.5
    batch_norm: bool = True
    standardize: bool = True
    ridge: float = 0.1
    sigma: float = 0.2
    batch: int = 256
    epochs: int = 30
    optimizer: str = "adamw"
    rate: float = 1e-3
    weight_decay: float = 1e-2
    schedule: str = "cosine"
    score_every: int = 2

    def __post_init__(self) -> None:
        check_choice("space", self.space, SPACES)
        check_range("k", self.k, 1, 4096)
        for name in ("left_hidden", "right_hidden"):
            widths_of(name, getattr(self, name))
        check_range("alpha", self.alpha, 0, 1e6)
        check_range("beta", self.beta, 0, 1e6)
        check_range("dropout", self.dropout, 0, 0.95)
        check_range("ridge", self.ridge, 1e-12, 1e6)
        check_range("sigma", self.sigma, 0, 1)
        check_range("batch", self.batch, 2, 1_000_000)
        check_range("epochs", self.epochs, 1, 100_000)
        check_choice("optimizer", self.optimizer, OPTIMIZERS)
        check_range("rate", self.rate, 1e-8, 10)
        check_range("weight_decay", self.weight_decay, 0, 10)
        check_choice("schedule", self.schedule, tuple(SCHEDULES))
        check_range("score_every", self.score_every, 1, 100_000)


class Eics(EpochChosen):
    r"""Two networks per modality: one correlates pairs, one predicts labels; then CCA.

    Objective: $L_{corr} + \alpha L_{dis} + \beta L_{cons}$. $L_{corr}$ is minus the mean
    canonical correlation of the explicit outputs of pairs; $L_{dis}$ the mean distance of
    the implicit outputs to the one-hot label, over both modalities; $L_{cons}$ the
    squared Frobenius norm of explicit against implicit outputs in each modality, and with
    ``cross_implicit`` of both modalities' implicit outputs. The embedding is linear CCA
    of the two outputs side by side, as wide as twice the classes.

    Departures: the printed correlation is positive and averaged over rows it does not
    depend on; it is negated, not averaged. The constraint is on centred unit rows over
    the squared batch. ``tuned`` leaves ``cross_implicit`` out, as it opposes the label
    loss, has smaller networks, and blends class pairs into the final CCA, which would
    otherwise prefer what tells two clips of one class apart. Rate and batch are not
    printed. ``space=explicit`` is read through CCA, since the correlation does not fix its
    axes; ``implicit`` as it is.

    Source:
        Zeng, Wu, Hattori, Xu and Yu 2023, Learning explicit and implicit dual common
        subspaces for audio-visual cross-modal retrieval.
    """

    card: ClassVar[MethodCard] = MethodCard(
        name="eics",
        title="Explicit and implicit common subspaces",
        source="Zeng et al. 2023",
        supervision="labels+pairs",
        needs_pairs=True,
        embedding="canonical components of two subspaces",
        exportable=True,
    )
    presets: ClassVar[Mapping[str, EicsSettings]] = {
        "paper": EicsSettings(
            left_hidden="1024-1024",
            right_hidden="1024-2048",
            alpha=0.01,
            cross_implicit=True,
            dropout=0.1,
            batch_norm=False,
            ridge=1e-4,
            sigma=1.0,
            batch=1000,
            epochs=1000,
            optimizer="adam",
            rate=1e-4,
            weight_decay=0.0,
            schedule="constant",
            score_every=10,
        ),
        "tuned": EicsSettings(),
    }
    grids: ClassVar[tuple[Mapping[str, tuple[Any, ...]], ...]] = ()

    def build(self, settings: EicsSettings, problem: Problem) -> Towers:
        """Return one tower per modality with the networks that are read.

        Raises:
            DataError: If there are not exactly two modalities, or no classes.
        """
        linear.check_two(problem)
        if problem.classes < 2:
            raise DataError("label regression needs two classes or more")
        names = ("left_hidden", "right_hidden")
        towers = {}
        for modality, name in zip(problem.modalities, names, strict=True):
            hidden = widths_of(name, getattr(settings, name))
            dim = problem.dims[modality]
            networks = Subspaces(
                {
                    role: mlp(
                        [dim, *hidden, problem.classes],
                        dropout=settings.dropout,
                        batch_norm=settings.batch_norm,
                        # A bias of outputs that only correlate has no effect.
                        shifts=role != "explicit",
                    )
                    for role in _roles(settings)
                },
                read=_read(settings),
            )
            outputs = problem.classes * len(_read(settings))
            components = (
                outputs if settings.space == "implicit" else min(settings.k, outputs)
            )
            towers[modality] = CorrelatedTower(
                dim, networks, outputs=outputs, components=components
            )
        return towers

    def fit(
        self,
        towers: Towers,
        train: TrainingData,
        validation: TrainingData | None,
        settings: EicsSettings,
        context: FitContext,
    ) -> Training:
        """Train on batches of pairs; without pairs of their own, on drawn ones.

        Raises:
            DataError: If nothing is labeled, if there are fewer than two pairs, or if
                training diverges.
        """
        train = context.paired(train)
        for modality, labels in train.labels.items():
            if not (labels != UNLABELED).any():
                raise DataError(f"{modality}: label regression needs labeled items")
        paired = train.with_drawn_pairs(context.seed)
        prepared = prepare(towers, paired, context, divide=settings.standardize)
        pair_set = PairSet(sigma=settings.sigma, seed=context.seed)
        batches = PairBatches(paired, settings.batch, np.random.default_rng(context.seed))
        keeper = ProjectedEpochs(
            towers,
            prepared,
            validation,
            context,
            ridge=settings.ridge,
            moments=None
            if settings.space == "implicit"
            else lambda outputs: moments_of(outputs, paired, pair_set),
        )
        train_epochs(
            nn.ModuleDict({m.value: tower for m, tower in towers.items()}),
            lambda epoch: batches,
            lambda batch: losses(towers, prepared, batch, settings),
            Optimization(
                epochs=settings.epochs,
                rate=settings.rate,
                weight_decay=settings.weight_decay,
                optimizer=settings.optimizer,
                schedule=settings.schedule,
            ),
            steps_per_epoch=len(batches),
            device=context.device,
            after_epoch=lambda epoch, terms: keeper.see(
                epoch,
                terms,
                scored=(settings.epochs - epoch) % settings.score_every == 0,
            ),
            checkpoints=context.checkpoints,
            beside=[keeper],
        )
        return keeper.finish()


class Subspaces(nn.Module):
    """Networks side by side on the same input, of which some are read."""

    def __init__(self, networks: Mapping[str, nn.Module], *, read: tuple[str, ...]) -> None:
        super().__init__()
        self.networks = nn.ModuleDict(dict(networks))
        self.read = read

    def forward(self, rows: Tensor) -> Tensor:
        """Return the outputs of the networks that are read, side by side."""
        return torch.cat([self.networks[role](rows) for role in self.read], dim=1)

    def of(self, role: str, rows: Tensor) -> Tensor:
        """Return one network's outputs; a shared network plays every role."""
        name = role if role in self.networks else SHARED
        outputs: Tensor = self.networks[name](rows)
        return outputs.float()


def losses(
    towers: Towers, prepared: Prepared, batch: Batch, settings: EicsSettings
) -> dict[str, Tensor]:
    """Return the loss of a batch and its terms."""
    explicit, implicit = (
        [_outputs(tower, role, prepared.rows(m, batch)) for m, tower in towers.items()]
        for role in ("explicit", "implicit")
    )
    held_apart = list(zip(explicit, implicit, strict=True))
    if settings.cross_implicit:
        held_apart += combinations(implicit, 2)
    terms = {"constraint": torch.stack([orthogonality(*two) for two in held_apart]).sum()}
    loss = settings.beta * terms["constraint"]
    if settings.space != "implicit":
        terms["correlation"] = correlation_loss(*explicit, ridge=settings.ridge)
        loss = loss + terms["correlation"]
    if settings.space != "explicit":
        by_modality = [
            label_loss(outputs, torch.from_numpy(batch.labels[m]).to(outputs.device))
            for m, outputs in zip(towers, implicit, strict=True)
        ]
        terms["label"] = torch.stack(by_modality).sum()
        loss = loss + settings.alpha * terms["label"]
    return {"loss": loss, **terms}


def _outputs(tower: nn.Module, role: str, features: Tensor) -> Tensor:
    correlated = cast(CorrelatedTower, tower)
    return cast(Subspaces, correlated.network).of(role, correlated.standardize(features))


def _roles(settings: EicsSettings) -> tuple[str, ...]:
    return (SHARED,) if settings.space == "ex_im_share" else ("explicit", "implicit")


def _read(settings: EicsSettings) -> tuple[str, ...]:
    return {
        "both": ("explicit", "implicit"),
        "explicit": ("explicit",),
        "implicit": ("implicit",),
        "ex_im_share": (SHARED,),
    }[settings.space]
