"""Two-stage triplets: semi-hard first, then hard ones among synthetic points."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import permutations
from typing import Any, ClassVar

import torch
from torch import Tensor

from crossmodal.modality import Modality
from training.batches.class_masks import require_classes
from training.batches.sampling import Batch
from training.config import check_choice, check_range
from training.data import UNLABELED, TrainingData
from training.fitting.mlp_fit import MlpSettings
from training.fitting.network_fit import Features, Loss, NetworkFit, networks_of
from training.losses.synthesis import between_classmates
from training.losses.triplet import STRATEGIES, triplet_loss
from training.methods.kinds import EpochChosen
from training.methods.method import FitContext, MethodCard, Problem, Towers, Training
from training.towers.networks import modules_of


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoStageSettings(MlpSettings):
    """Settings of two-stage triplet training.

    Attributes:
        dim: Embedding size.
        margin: By how much a negative is farther than a positive, in cosine distance.
        first: Which triplets count in the first stage.
        second: Which triplets count in the second.
        second_share: Epochs of the second stage, as a share of the first's.
        second_rate: Highest learning rate of the second stage, as a share of the first's.
        synthesis: Whether the second stage adds synthetic points.
    """

    dim: int = 64
    margin: float = 0.5
    first: str = "semi_hard"
    second: str = "hard"
    second_share: float = 0.5
    second_rate: float = 0.3
    synthesis: bool = True

    def __post_init__(self) -> None:
        MlpSettings.__post_init__(self)
        check_range("dim", self.dim, 1, 4096)
        check_range("margin", self.margin, 0, 100)
        check_choice("first", self.first, STRATEGIES)
        check_choice("second", self.second, STRATEGIES)
        check_range("second_share", self.second_share, 0, 100)
        check_range("second_rate", self.second_rate, 1e-6, 100)


class TwoStageTriplet(EpochChosen):
    r"""Semi-hard triplets until they settle, then hard ones against synthetic points too.

    Objective: $[d(a_i, p) - d(a_i, n) + m]_+$ in both directions, cosine distance. Stage
    one mines p and n among the other modality's items; stage two also among points
    $\mathrm{norm}(\lambda z_i + (1-\lambda)z_j)$, i and j of one class, $\lambda \in
    \{.25, .5, .75\}$. Synthetic points are positives and negatives, never anchors.

    Departures: the source's text was not at hand in full; the points and the values of the
    presets are our choice. Stage one runs a fixed number of epochs, over which the rate
    falls to zero, instead of up to a plateau that has to be watched for; stage two goes on
    from the epoch of it that validation prefers, without validation data from the last.

    Supervision: labels. Embedding: learned, compared by cosine.

    Source:
        Zeng, Yu 2023, Two-stage triplet loss training with curriculum augmentation for
        audio-visual retrieval, arXiv:2310.13451.
    """

    card: ClassVar[MethodCard] = MethodCard(
        name="two_stage_triplet",
        title="Two-stage triplets with curriculum augmentation",
        source="Zeng and Yu 2023",
        supervision="labels",
        needs_pairs=False,
        embedding="learned",
        exportable=True,
    )
    presets: ClassVar[Mapping[str, TwoStageSettings]] = {
        "paper": TwoStageSettings(
            hidden=1024,
            dropout=0.0,
            batch_norm=False,
            standardize=False,
            epochs=200,
            least_steps=0,
            second_share=1.0,
            second_rate=1.0,
            optimizer="adam",
            rate=1e-4,
            weight_decay=0.0,
            sampler="stratified",
            batch=400,
        ),
        "tuned": TwoStageSettings(),
    }
    grids: ClassVar[tuple[Mapping[str, tuple[Any, ...]], ...]] = ()

    def build(self, settings: TwoStageSettings, problem: Problem) -> Towers:
        """Return one network per modality."""
        return settings.towers(problem, settings.dim)

    def fit(
        self,
        towers: Towers,
        train: TrainingData,
        validation: TrainingData | None,
        settings: TwoStageSettings,
        context: FitContext,
    ) -> Training:
        """Train both stages; the epoch best on validation is kept, else the last.

        Raises:
            DataError: If there are no two classes to tell apart, or training diverges.
        """
        require_classes(train, "two-stage triplet training")
        networks = networks_of(towers, train, standardize=settings.standardize)
        batches = settings.batches(train, context.seed)
        fitting = NetworkFit(
            towers, modules_of(towers), train, validation, context, settings.score_every
        )
        optimization = settings.optimization(len(batches))

        def stage(number: int, strategy: str, *, synthesis: bool) -> Loss:
            def loss(features: Features, batch: Batch) -> dict[str, Tensor]:
                embedded = {m: networks[m](rows) for m, rows in features.items()}
                cost = across_modalities(
                    embedded,
                    {
                        m: torch.from_numpy(x).to(context.device)
                        for m, x in batch.labels.items()
                    },
                    margin=settings.margin,
                    strategy=strategy,
                    synthesis=synthesis,
                )
                return {"loss": cost, "stage": torch.tensor(float(number))}

            return loss

        fitting.run(batches, stage(1, settings.first, synthesis=False), optimization)
        if settings.second_share > 0:
            fitting.finish()  # loads the epoch kept: later ones may have overfitted
            for network in networks.values():
                network.to(context.device)
            fitting.run(
                batches,
                stage(2, settings.second, synthesis=settings.synthesis),
                replace(
                    optimization,
                    epochs=max(1, round(settings.second_share * optimization.epochs)),
                    rate=settings.second_rate * optimization.rate,
                ),
            )
        return fitting.finish()


def across_modalities(
    embedded: Mapping[Modality, Tensor],
    labels: Mapping[Modality, Tensor],
    *,
    margin: float,
    strategy: str,
    synthesis: bool,
) -> Tensor:
    """Return the sum over directions of triplet losses with real anchors.

    Args:
        embedded: Unit-norm rows of each modality.
        labels: Their classes, -1 where unknown.
        margin: In cosine distance.
        strategy: Which triplets count.
        synthesis: Whether synthetic points join the positives and negatives.
    """
    others, other_labels = dict(embedded), dict(labels)
    if synthesis:
        for modality, rows in embedded.items():
            points, classes = between_classmates(rows, labels[modality])
            others[modality] = torch.cat([rows, points])
            other_labels[modality] = torch.cat([labels[modality], classes])
    losses = []
    for anchor, other in permutations(sorted(embedded), 2):
        ours, theirs = labels[anchor][:, None], other_labels[other]
        known = (ours != UNLABELED) & (theirs != UNLABELED)
        losses.append(
            triplet_loss(
                embedded[anchor],
                others[other],
                known & (ours == theirs),
                different=known & (ours != theirs),
                margin=margin,
                strategy=strategy,
            )
        )
    return torch.stack(losses).sum()
