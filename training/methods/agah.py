"""Adversary guided asymmetric hashing: attention over classes, critics, binary codes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import numpy as np

from crossmodal.errors import DataError
from training.batches.sampling import BalancedBatches
from training.config import Settings, check_choice, check_range
from training.data import UNLABELED, TrainingData
from training.fitting.best_epoch import BestEpoch
from training.fitting.checkpoints import epochs_left
from training.fitting.loop import check_finite
from training.fitting.standardizing import fit_standardizers
from training.games.hashing_game import HashingGame
from training.methods.kinds import EpochChosen
from training.methods.method import FitContext, MethodCard, Problem, Towers, Training
from training.towers.networks import mlp
from training.towers.prototype_tower import PrototypeTower

REDUCTIONS = ("active", "anchor")


@dataclass(frozen=True, slots=True, kw_only=True)
class AgahSettings(Settings):
    """Settings of adversary guided hashing.

    Attributes:
        bits: Length of the code.
        width: Of the features that attention and critics see.
        hidden: Width of the hidden layer.
        wide: Width of one more layer before it for features narrower than ``width``; 0
            for none.
        dropout: Share of hidden units dropped in training.
        standardize: Whether features are standardised first.
        share: Of an item's own features in what is hashed; the rest is attention's.
        margin: Of the triplets, in cosine distance.
        triplets: ``anchor`` adds up each anchor's triplets, ``active`` averages those
            that cost something.
        triplet_weight: Weight of the triplets.
        magnitude_weight: Weight of even magnitudes.
        label_weight: Weight of a label classifier's cross-entropy; 0 has no classifier.
        code_weight: Weight of the regression on class codes.
        quantization_weight: Weight of the distance to the sign.
        game_weight: Weight of the critics' verdict.
        penalty: Of the critics' gradients.
        rate: Learning rate of Adamax.
        visual_share: Factor on it for the visual network.
        weight_decay: Of matrices.
        decay: Factor on the rates every ``decay_epochs``.
        decay_epochs: How many epochs that is.
        epochs: Passes over the training data.
        classes_per_batch: P of the class-balanced batches.
        items_per_class: K of the class-balanced batches.
    """

    bits: int = 64
    width: int = 256
    hidden: int = 512
    wide: int = 0
    dropout: float = 0.3
    standardize: bool = True
    share: float = 0.8
    margin: float = 0.3
    triplets: str = "active"
    triplet_weight: float = 1.0
    magnitude_weight: float = 0.1
    label_weight: float = 0.0
    code_weight: float = 1e-5
    quantization_weight: float = 1e-3
    game_weight: float = 0.01
    penalty: float = 10.0
    rate: float = 2e-3
    visual_share: float = 1.0
    weight_decay: float = 1e-4
    decay: float = 0.3
    decay_epochs: int = 10
    epochs: int = 25
    classes_per_batch: int = 10
    items_per_class: int = 16

    def __post_init__(self) -> None:
        check_range("bits", self.bits, 2, 4096)
        check_range("width", self.width, 1, 65536)
        check_range("hidden", self.hidden, 1, 65536)
        check_range("wide", self.wide, 0, 65536)
        check_range("dropout", self.dropout, 0, 0.95)
        check_range("share", self.share, 0, 1)
        check_range("margin", self.margin, 0, 2)
        check_choice("triplets", self.triplets, REDUCTIONS)
        for name in ("triplet", "magnitude", "label", "code", "quantization", "game"):
            check_range(f"{name}_weight", getattr(self, f"{name}_weight"), 0, 1e6)
        check_range("penalty", self.penalty, 0, 1e6)
        check_range("rate", self.rate, 1e-8, 10)
        check_range("visual_share", self.visual_share, 0, 100)
        check_range("weight_decay", self.weight_decay, 0, 10)
        check_range("decay", self.decay, 0.01, 1)
        check_range("decay_epochs", self.decay_epochs, 1, 100_000)
        check_range("epochs", self.epochs, 1, 100_000)
        check_range("classes_per_batch", self.classes_per_batch, 2, 100_000)
        check_range("items_per_class", self.items_per_class, 1, 100_000)


class Agah(EpochChosen):
    r"""Hash functions under triplets, class codes and one critic per modality.

    Objective of the hash functions, means over the batch: triplets of cosine distances
    between modalities, every positive with every negative of its anchor, both ways;
    $\alpha / (1 + e^{\cos(|h|, 1)})$ for even magnitudes; $\beta$ times cross-entropy of
    labels; $\gamma \sum_c (h^T c_c - b(2y_c - 1))^2$ with class codes fitted anew after
    each epoch; $\eta \|h - \operatorname{sign} h\|^2$; and $\mu$ times what the other
    modality's critic makes of the item's features. Critics are Wasserstein critics with
    a gradient penalty. What attention is, the towers say; class prototypes are the mean
    of all modalities' class means and are taken anew after each epoch.

    Supervision: labels. The embedding is the sign code over the root of the bits.

    Departures: the public code divides features by the norm of their whole batch, so an
    embedding would depend on its companions; each is divided by its own norm here, and
    for that reason there is no preset ``as_coded``. It keeps the epoch best on its
    queries, here validation decides. The image network is a plain network on features.
    Prototypes and class codes come from one pass over the training data after the epoch
    where the code gathers them on the way.

    Source:
        Gu et al. 2019, Adversary guided asymmetric hashing for cross-modal retrieval,
        ICMR, and its public code.
    """

    card: ClassVar[MethodCard] = MethodCard(
        name="agah",
        title="Adversary guided asymmetric hashing",
        source="Gu et al. 2019",
        supervision="labels",
        needs_pairs=False,
        embedding="sign code",
        exportable=True,
    )
    presets: ClassVar[Mapping[str, AgahSettings]] = {
        "paper": AgahSettings(
            bits=10,
            width=512,
            hidden=4096,
            wide=8192,
            dropout=0.0,
            standardize=False,
            triplets="anchor",
            magnitude_weight=1.0,
            code_weight=1e-3,
            quantization_weight=1.0,
            game_weight=1.0,
            rate=1e-3,
            visual_share=0.1,
            weight_decay=5e-4,
            decay=0.6,
            decay_epochs=100,
            epochs=300,
            items_per_class=13,
        ),
        "tuned": AgahSettings(),
    }
    grids: ClassVar[tuple[Mapping[str, tuple[Any, ...]], ...]] = ()

    def build(self, settings: AgahSettings, problem: Problem) -> Towers:
        """Return one hash function per modality."""
        towers = {}
        for modality in problem.modalities:
            dim = problem.dims[modality]
            wide = [settings.wide] if settings.wide and dim < settings.width else []
            towers[modality] = PrototypeTower(
                dim,
                mlp(
                    [dim, *wide, settings.hidden, settings.width], dropout=settings.dropout
                ),
                width=settings.width,
                bits=settings.bits,
                classes=problem.classes,
                share=settings.share,
            )
        return towers

    def fit(
        self,
        towers: Towers,
        train: TrainingData,
        validation: TrainingData | None,
        settings: AgahSettings,
        context: FitContext,
    ) -> Training:
        """Train; the epoch best on validation is kept, the last without validation.

        Raises:
            DataError: If some modality lacks labels or training diverges.
        """
        for modality, labels in train.labels.items():
            if not (labels != UNLABELED).any():
                raise DataError(f"{modality}: adversary guided hashing needs labels")
        if settings.standardize:
            fit_standardizers(towers, train)
        for tower in towers.values():
            tower.to(context.device)
        batches = BalancedBatches(
            train,
            settings.classes_per_batch,
            settings.items_per_class,
            np.random.default_rng(context.seed),
        )
        game = HashingGame(
            cast(Mapping[Any, PrototypeTower], towers),
            train,
            anchors_sum=settings.triplets == "anchor",
            margin=settings.margin,
            weights={
                "triplets": settings.triplet_weight,
                "magnitudes": settings.magnitude_weight,
                "labels": settings.label_weight,
                "codes": settings.code_weight,
                "quantization": settings.quantization_weight,
                "game": settings.game_weight,
            },
            penalty=settings.penalty,
            rate=settings.rate,
            visual_share=settings.visual_share,
            weight_decay=settings.weight_decay,
            device=context.device,
        )
        keeper = BestEpoch(towers, validation, context.log)
        left = epochs_left(
            context.checkpoints,
            settings.epochs,
            [keeper, *game.states],
            replay=lambda epoch: list(batches),
        )
        for epoch in left:
            game.set_share(settings.decay ** ((epoch - 1) // settings.decay_epochs))
            terms = game.train(batches)
            check_finite(epoch, terms["loss"])
            game.refresh()
            keeper.see(epoch, terms)
        return keeper.finish()
