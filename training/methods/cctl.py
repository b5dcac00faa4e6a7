"""CCTL: label regression and complete cross triplets in label space."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from crossmodal.modality import Modality
from training.batches.class_masks import class_masks, require_classes
from training.batches.sampling import Batch
from training.config import check_choice, check_range
from training.data import TrainingData
from training.fitting.mlp_fit import MlpSettings
from training.fitting.network_fit import train_networks
from training.losses.cross_triplets import cross_triplets
from training.losses.label import label_loss
from training.losses.triplet import STRATEGIES
from training.methods.kinds import EpochChosen
from training.methods.method import FitContext, MethodCard, Problem, Towers, Training


@dataclass(frozen=True, slots=True, kw_only=True)
class CctlSettings(MlpSettings):
    """Settings of the complete cross-triplet loss.

    Attributes:
        margin: By how much a negative is farther than a positive, in cosine distance.
        strategy: Which triplets of a batch count.
        triplets: Weight of the triplets beside the label loss.
    """

    margin: float = 0.5
    strategy: str = "batch_all"
    triplets: float = 1.0

    def __post_init__(self) -> None:
        MlpSettings.__post_init__(self)
        check_range("margin", self.margin, 0, 100)
        check_choice("strategy", self.strategy, STRATEGIES)
        check_range("triplets", self.triplets, 0, 1e6)


class Cctl(EpochChosen):
    r"""Towers that end in one output per class, under triplets of every mix of modalities.

    Objective: $\sum_m \frac1n\sum_i\lVert P^m_i - Y_i\rVert_2$ plus the mean triplet loss
    of P over the triples (anchor, positive, negative) of modalities that are not all the
    same: six for two modalities, with cosine distances.

    Departures: the source's text was not at hand in full; which triples are "complete",
    the widths of the layers, and every value of the presets are our choice, so ``paper``
    is its objective with a plain network of its size class.

    Supervision: labels. Embedding: predictions of the classes, compared by cosine.

    Source:
        Zeng, Wu, Hattori, Xu, Yu 2022, Complete cross-triplet loss in label space for
        audio-visual cross-modal retrieval.
    """

    card: ClassVar[MethodCard] = MethodCard(
        name="cctl",
        title="Complete cross-triplet loss",
        source="Zeng et al. 2022",
        supervision="labels",
        needs_pairs=False,
        embedding="class predictions",
        exportable=True,
    )
    presets: ClassVar[Mapping[str, CctlSettings]] = {
        "paper": CctlSettings(
            hidden=1024,
            dropout=0.0,
            batch_norm=False,
            standardize=False,
            epochs=400,
            least_steps=0,
            optimizer="adam",
            rate=1e-4,
            weight_decay=0.0,
            schedule="constant",
            sampler="stratified",
            batch=400,
        ),
        "tuned": CctlSettings(),
    }
    grids: ClassVar[tuple[Mapping[str, tuple[Any, ...]], ...]] = ()

    def build(self, settings: CctlSettings, problem: Problem) -> Towers:
        """Return one network per modality, with an output per class."""
        return settings.towers(problem, problem.classes)

    def fit(
        self,
        towers: Towers,
        train: TrainingData,
        validation: TrainingData | None,
        settings: CctlSettings,
        context: FitContext,
    ) -> Training:
        """Train; the epoch best on validation is kept, the last without validation.

        Raises:
            DataError: If there are no two classes to tell apart, or training diverges.
        """
        require_classes(train, "CCTL")
        return train_networks(
            towers,
            train,
            validation,
            settings,
            context,
            lambda predicted, batch: losses(predicted, batch, settings),
            standardize=settings.standardize,
        )


def losses(
    predicted: Mapping[Modality, Tensor], batch: Batch, settings: CctlSettings
) -> dict[str, Tensor]:
    """Return the loss and its terms, for class predictions of each modality."""
    device = next(iter(predicted.values())).device
    by_label = [
        label_loss(rows, torch.from_numpy(batch.labels[modality]).to(device))
        for modality, rows in predicted.items()
    ]
    triplets = cross_triplets(
        predicted,
        lambda one, other: class_masks(batch, one, other, device),
        margin=settings.margin,
        strategy=settings.strategy,
    )
    terms = {"label": torch.stack(by_label).sum(), "triplets": triplets}
    return {"loss": terms["label"] + settings.triplets * triplets, **terms}
