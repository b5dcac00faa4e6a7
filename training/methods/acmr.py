"""Adversarial cross-modal retrieval: class-wise projectors that hide their modality."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from crossmodal.errors import DataError
from training.batches.sampling import Batch
from training.config import check_choice, check_range
from training.data import UNLABELED, TrainingData
from training.games.modality_game import (
    GameSettings,
    ModalityGame,
    Outputs,
    play,
    projectors,
    two_at_a_time,
)
from training.losses.relative_distance import (
    dissimilar_hinge,
    nearest_of_another_class,
    squared_triplet,
)
from training.methods.kinds import EpochChosen
from training.methods.method import FitContext, MethodCard, Problem, Towers, Training
from training.towers.networks import NetworkTower

VARIANTS = ("simple", "triplet")


@dataclass(frozen=True, slots=True, kw_only=True)
class AcmrSettings(GameSettings):
    """Settings of adversarial cross-modal retrieval, beside those of the game.

    Attributes:
        variant: ``triplet`` draws partners nearer than an item of another class;
            ``simple`` draws partners together and pushes other classes apart.
        label_weight: Weight of the classifier's cross-entropy.
        pair_weight: Weight of the triplets, or of the partners' distance.
        dissimilar_weight: Weight of the push between classes; variant simple.
        margin: Of triplets and push, in squared units.
        factor: Weight of the positive's distance within a triplet.
        pooled: Whether triplets are summed over the batch before their hinge.
        train_classifier: Whether the label classifier is trained or stays as drawn.
    """

    variant: str = "triplet"
    label_weight: float = 1.0
    pair_weight: float = 0.1
    dissimilar_weight: float = 0.02
    margin: float = 0.1
    factor: float = 5.0
    pooled: bool = False
    train_classifier: bool = True

    def __post_init__(self) -> None:
        GameSettings.__post_init__(self)
        check_choice("variant", self.variant, VARIANTS)
        for name in ("label_weight", "pair_weight", "dissimilar_weight"):
            check_range(name, getattr(self, name), 0, 1e6)
        check_range("margin", self.margin, 0, 1e3)
        check_range("factor", self.factor, 0, 1e3)


PAPER = AcmrSettings(
    hidden=100,
    activation="tanh",
    dropout=0.0,
    standardize=False,
    label_weight=100.0,
    pair_weight=1.0,
    game_weight=1.0,
    rate=1e-4,
    weight_decay=0.0,
    schedule="constant",
    epochs=50,
    batch=64,
)


class Acmr(EpochChosen):
    r"""Projectors that a label classifier understands and a modality critic does not.

    Objective: $L_{emb} - w L_{adv}$ for the projectors and the label classifier,
    $L_{adv}$ for the critic, in one descent with the critic's gradient reversed.
    $L_{emb} = a\,CE(labels) + b\,L_{tri}$; $L_{adv}$ is the critic's cross-entropy over
    modalities; $w = 2/(1+e^{-10p}) - 1$ with p the share of epochs done. A triplet is an
    item, its partner, and the item of another class whose partner in the anchor's
    modality has features most like the anchor's. Both read tanh outputs; the embedding
    is these outputs at unit norm. Classifier and critic are left out of it.

    Supervision: labels and pairs.

    Departures: losses are means over the batch, the published ones partly sums; the
    variant ``simple`` takes squared distances where published code adds outputs up;
    ranking is by cosine, published figures by Euclidean distance and cut at 50.

    Presets: ``paper`` is the paper's game with the printed weights; in ``as_coded`` no
    adversarial gradient reaches the projectors, the label classifier is never trained,
    the critic is linear, triplets share one hinge per batch and pairs come unshuffled,
    all as in the authors' public code; ``tuned`` is ours.

    Source:
        Wang et al. 2017, Adversarial cross-modal retrieval, and its public code.
    """

    card: ClassVar[MethodCard] = MethodCard(
        name="acmr",
        title="Adversarial cross-modal retrieval",
        source="Wang et al. 2017",
        supervision="labels+pairs",
        needs_pairs=True,
        embedding="learned",
        exportable=True,
    )
    presets: ClassVar[Mapping[str, AcmrSettings]] = {
        "paper": PAPER,
        "as_coded": replace(
            PAPER,
            pooled=True,
            game="detached",
            critic_activation="linear",
            train_classifier=False,
            shuffle=False,
        ),
        "tuned": AcmrSettings(),
    }
    grids: ClassVar[tuple[Mapping[str, tuple[Any, ...]], ...]] = ()

    def build(self, settings: AcmrSettings, problem: Problem) -> Towers:
        """Return one projector per modality."""
        return projectors(settings, problem)

    def fit(
        self,
        towers: Towers,
        train: TrainingData,
        validation: TrainingData | None,
        settings: AcmrSettings,
        context: FitContext,
    ) -> Training:
        """Train; the epoch best on validation is kept, the last without validation.

        Raises:
            DataError: If no pair is labeled or training diverges.
        """
        train = context.paired(train)
        if not any((labels != UNLABELED).any() for labels in train.labels.values()):
            raise DataError("adversarial cross-modal retrieval needs labels, found none")
        model = AcmrModel(towers, len(train.classes), settings)
        return play(
            model, model.game, model.losses, towers, train, validation, settings, context
        )


class AcmrModel(nn.Module):
    """Projectors, label classifier and critic, with the losses between them."""

    def __init__(self, towers: Towers, classes: int, settings: AcmrSettings) -> None:
        super().__init__()
        self.settings = settings
        self.classifier = nn.Linear(settings.dim, classes)
        self.classifier.requires_grad_(settings.train_classifier)
        self.game = ModalityGame(towers, settings)

    def losses(self, features: Outputs, batch: Batch) -> dict[str, Tensor]:
        """Return the loss and its terms, summed over modalities and their pairs."""
        outputs = self.game.outputs(features, batch)
        labels = {
            m: torch.from_numpy(numbers).to(outputs[m].device)
            for m, numbers in batch.labels.items()
        }
        terms = {"labels": self._labels(outputs, labels)}
        if self.settings.variant == "triplet":
            terms["triplets"] = self._triplets(outputs, labels, features, batch)
        else:
            terms["pairs"], terms["dissimilar"] = self._simple(outputs, labels)
        terms |= self.game.critic_loss(outputs)
        weights = {
            "labels": self.settings.label_weight,
            "triplets": self.settings.pair_weight,
            "pairs": self.settings.pair_weight,
            "dissimilar": self.settings.dissimilar_weight,
            "critic": 1.0,
        }
        total = torch.stack([weights[name] * value for name, value in terms.items()]).sum()
        return {"loss": total, **terms}

    def _labels(self, outputs: Outputs, labels: Outputs) -> Tensor:
        parts = []
        for modality, rows in outputs.items():
            known = labels[modality] != UNLABELED
            logits, truth = self.classifier(rows[known]), labels[modality][known]
            total = F.cross_entropy(logits, truth, reduction="sum")
            parts.append(total / max(1, len(truth)))
        return torch.stack(parts).sum()

    def _triplets(
        self, outputs: Outputs, labels: Outputs, features: Outputs, batch: Batch
    ) -> Tensor:
        parts = []
        for one, other in two_at_a_time(outputs):
            for anchor, gallery in ((one, other), (other, one)):
                rows = torch.from_numpy(batch.rows[anchor]).to(features[anchor].device)
                standardize = cast(NetworkTower, self.game.towers[anchor.value]).standardize
                negative = nearest_of_another_class(
                    standardize(features[anchor][rows]), labels[anchor]
                )
                parts.append(
                    squared_triplet(
                        outputs[anchor],
                        outputs[gallery],
                        outputs[gallery][negative],
                        margin=self.settings.margin,
                        factor=self.settings.factor,
                        pooled=self.settings.pooled,
                    )
                )
        return torch.stack(parts).sum()

    def _simple(self, outputs: Outputs, labels: Outputs) -> tuple[Tensor, Tensor]:
        near, apart = [], []
        for one, other in two_at_a_time(outputs):
            gaps = (outputs[one] - outputs[other]).square().sum(dim=1)
            near.append((gaps + 1e-12).sqrt().mean())
            ours, theirs = labels[one][:, None], labels[other]
            different = (ours != theirs) & (ours != UNLABELED) & (theirs != UNLABELED)
            apart.append(
                dissimilar_hinge(
                    outputs[one], outputs[other], different, self.settings.margin
                )
            )
        return torch.stack(near).sum(), torch.stack(apart).sum()
