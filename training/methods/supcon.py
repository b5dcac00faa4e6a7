"""Supervised contrastive dual encoder: two networks, several positives per anchor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from crossmodal.errors import DataError
from training.batches.sampling import BalancedBatches
from training.config import Settings, check_range
from training.data import TrainingData
from training.fitting.best_epoch import BestEpoch
from training.fitting.dual_encoder import COLDEST, HOTTEST, DualEncoder
from training.fitting.loop import train_epochs
from training.fitting.optimization import Optimization
from training.fitting.standardizing import fit_standardizers
from training.methods.kinds import EpochChosen
from training.methods.method import FitContext, MethodCard, Problem, Towers, Training
from training.towers.tower import MlpTower


@dataclass(frozen=True, slots=True, kw_only=True)
class SupconSettings(Settings):
    """Settings of the supervised contrastive dual encoder.

    Attributes:
        dim: Embedding size.
        hidden: Width of the hidden layers.
        layers: Number of hidden layers.
        dropout: Share of hidden units dropped in training.
        input_dropout: Share of standardised features dropped in training.
        noise: Deviation of Gaussian noise on standardised features in training.
        temperature: Where the learned temperature starts.
        eta: Weight of InfoNCE on true pairs, for finding the very clip.
        rate: Highest learning rate of AdamW.
        weight_decay: Of AdamW.
        warmup: Share of the steps over which the rate rises.
        epochs: Passes over the training data.
        classes_per_batch: P of the class-balanced batches.
        items_per_class: K of the class-balanced batches.
    """

    dim: int = 128
    hidden: int = 512
    layers: int = 2
    dropout: float = 0.3
    input_dropout: float = 0.0
    noise: float = 0.0
    temperature: float = 0.07
    eta: float = 0.5
    rate: float = 1e-3
    weight_decay: float = 1e-4
    warmup: float = 0.05
    epochs: int = 100
    classes_per_batch: int = 10
    items_per_class: int = 32

    def __post_init__(self) -> None:
        check_range("dim", self.dim, 2, 4096)
        check_range("hidden", self.hidden, 1, 65536)
        check_range("layers", self.layers, 0, 16)
        check_range("dropout", self.dropout, 0, 0.95)
        check_range("input_dropout", self.input_dropout, 0, 0.95)
        check_range("noise", self.noise, 0, 10)
        check_range("temperature", self.temperature, COLDEST, HOTTEST)
        check_range("eta", self.eta, 0, 100)
        check_range("rate", self.rate, 1e-8, 10)
        check_range("weight_decay", self.weight_decay, 0, 10)
        check_range("warmup", self.warmup, 0, 1)
        check_range("epochs", self.epochs, 1, 100_000)
        check_range("classes_per_batch", self.classes_per_batch, 2, 100_000)
        check_range("items_per_class", self.items_per_class, 1, 100_000)


class Supcon(EpochChosen):
    """Towers trained so that items of one class meet across modalities.

    Source:
        Khosla et al. 2020, Supervised contrastive learning, arXiv:2004.11362; pairs by
        Radford et al. 2021, arXiv:2103.00020.
    """

    card: ClassVar[MethodCard] = MethodCard(
        name="supcon",
        title="Supervised contrastive dual encoder",
        source="Khosla et al. 2020, across modalities",
        supervision="labels+pairs",
        needs_pairs=False,
        embedding="learned",
        exportable=True,
    )
    presets: ClassVar[Mapping[str, SupconSettings]] = {
        "paper": SupconSettings(),
        "tuned": SupconSettings(epochs=40, rate=2e-3),
    }
    grids: ClassVar[tuple[Mapping[str, tuple[Any, ...]], ...]] = ()

    def build(self, settings: SupconSettings, problem: Problem) -> Towers:
        """Return one network per modality."""
        return {
            modality: MlpTower(
                problem.dims[modality],
                settings.dim,
                hidden=settings.hidden,
                layers=settings.layers,
                dropout=settings.dropout,
                input_dropout=settings.input_dropout,
                noise=settings.noise,
            )
            for modality in problem.modalities
        }

    def fit(
        self,
        towers: Towers,
        train: TrainingData,
        validation: TrainingData | None,
        settings: SupconSettings,
        context: FitContext,
    ) -> Training:
        """Train; the epoch best on validation is kept, the last without validation.

        Raises:
            DataError: If no two items share a class or a pair, or training diverges.
        """
        if len(train.modalities) < 2:
            raise DataError("contrastive training takes two modalities or more")
        device = context.device
        model = DualEncoder(towers, settings.temperature)
        fit_standardizers(towers, train)
        batches = BalancedBatches(
            train,
            settings.classes_per_batch,
            settings.items_per_class,
            np.random.default_rng(context.seed),
        )
        model.to(device)
        features = {
            m: torch.from_numpy(train.features[m]).to(device) for m in train.modalities
        }
        keeper = BestEpoch(towers, validation, context.log)
        train_epochs(
            model,
            lambda epoch: batches,
            lambda batch: model.losses(features, batch, settings.eta),
            Optimization(
                epochs=settings.epochs,
                rate=settings.rate,
                weight_decay=settings.weight_decay,
                warmup=settings.warmup,
            ),
            steps_per_epoch=len(batches),
            device=device,
            after_step=model.clamp_temperature,
            after_epoch=lambda epoch, losses: keeper.see(
                epoch, {**losses, "temperature": float(model.temperature.detach())}
            ),
            checkpoints=context.checkpoints,
            beside=[keeper],
        )
        return keeper.finish()
