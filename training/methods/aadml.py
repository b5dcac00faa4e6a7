"""AADML: triplets whose anchors are proxies of their neighbourhoods."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from crossmodal.modality import Modality
from training.batches.class_masks import class_masks, require_classes
from training.batches.sampling import Batch
from training.config import check_choice, check_range
from training.data import TrainingData
from training.fitting.mlp_fit import MlpSettings
from training.fitting.network_fit import Outputs, train_networks
from training.losses.supcon import supcon
from training.losses.triplet import STRATEGIES, triplet_loss
from training.methods.kinds import EpochChosen
from training.methods.method import FitContext, MethodCard, Problem, Towers, Training
from training.towers.proxies import NeighborProxies
from training.towers.tower import unit_norm

LOSSES = ("triplet", "contrastive")


@dataclass(frozen=True, slots=True, kw_only=True)
class AadmlSettings(MlpSettings):
    """Settings of anchor-aware deep metric learning.

    Attributes:
        dim: Embedding size.
        neighbors: Nearest items of the same modality in a batch that a proxy is made of.
        loss: ``triplet`` or ``contrastive``.
        margin: Of triplets, in cosine distance.
        strategy: Which triplets of a batch count.
        temperature: Of the contrastive loss.
    """

    dim: int = 64
    neighbors: int = 5
    loss: str = "triplet"
    margin: float = 0.5
    strategy: str = "batch_all"
    temperature: float = 0.1

    def __post_init__(self) -> None:
        MlpSettings.__post_init__(self)
        check_range("dim", self.dim, 1, 4096)
        check_range("neighbors", self.neighbors, 1, 10_000)
        check_choice("loss", self.loss, LOSSES)
        check_range("margin", self.margin, 0, 100)
        check_choice("strategy", self.strategy, STRATEGIES)
        check_range("temperature", self.temperature, 0.01, 10)


class Aadml(EpochChosen):
    r"""Triplets or contrast across modalities, each anchor replaced by its proxy.

    Objective: $[d(p_i, z_j) - d(p_i, z_k) + m]_+$ in both directions, cosine distance,
    where the proxy $p_i$ is an attention-weighted mean of anchor i and its nearest
    neighbours of the same modality in the batch; or the supervised contrastive loss of
    the proxies. Attention and proxies exist in training alone: an item is embedded by its
    own features.

    Departures: the source's text was not at hand in full; that an item is among its own
    neighbours, the number of neighbours and the values of the presets are our choice.

    Supervision: labels. Embedding: learned, compared by cosine.

    Source:
        Zeng et al. 2024, Anchor-aware deep metric learning for audio-visual retrieval,
        arXiv:2404.13789.
    """

    card: ClassVar[MethodCard] = MethodCard(
        name="aadml",
        title="Anchor-aware deep metric learning",
        source="Zeng et al. 2024",
        supervision="labels",
        needs_pairs=False,
        embedding="learned",
        exportable=True,
    )
    presets: ClassVar[Mapping[str, AadmlSettings]] = {
        "paper": AadmlSettings(
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
        "tuned": AadmlSettings(),
    }
    grids: ClassVar[tuple[Mapping[str, tuple[Any, ...]], ...]] = ()

    def build(self, settings: AadmlSettings, problem: Problem) -> Towers:
        """Return one network per modality."""
        return settings.towers(problem, settings.dim)

    def fit(
        self,
        towers: Towers,
        train: TrainingData,
        validation: TrainingData | None,
        settings: AadmlSettings,
        context: FitContext,
    ) -> Training:
        """Train; the epoch best on validation is kept, the last without validation.

        Raises:
            DataError: If there are no two classes to tell apart, or training diverges.
        """
        require_classes(train, "anchor-aware metric learning")
        proxies = proxies_of(settings, train.modalities)

        def losses(outputs: Outputs, batch: Batch) -> dict[str, Tensor]:
            embedded = {m: unit_norm(rows) for m, rows in outputs.items()}
            return {"loss": proxied(embedded, proxies, batch, settings)}

        return train_networks(
            towers,
            train,
            validation,
            settings,
            context,
            losses,
            standardize=settings.standardize,
            proxies=proxies,
        )


def proxies_of(settings: AadmlSettings, modalities: tuple[Modality, ...]) -> nn.ModuleDict:
    """Return each modality's attention; it is dropped after training."""
    return nn.ModuleDict(
        {m.value: NeighborProxies(settings.dim, settings.neighbors) for m in modalities}
    )


def proxied(
    embedded: Mapping[Modality, Tensor],
    proxies: nn.ModuleDict,
    batch: Batch,
    settings: AadmlSettings,
) -> Tensor:
    """Return the sum over directions of the loss of proxies, for unit-norm embeddings."""
    losses = []
    for anchor, other in permutations(sorted(embedded), 2):
        same, different = class_masks(batch, anchor, other, embedded[anchor].device)
        proxy = proxies[anchor.value](embedded[anchor])
        if settings.loss == "contrastive":
            losses.append(supcon(proxy, embedded[other], same, settings.temperature))
            continue
        losses.append(
            triplet_loss(
                proxy,
                embedded[other],
                same,
                different=different,
                margin=settings.margin,
                strategy=settings.strategy,
            )
        )
    return torch.stack(losses).sum()
