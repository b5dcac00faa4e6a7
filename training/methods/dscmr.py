"""DSCMR: label regression, pair likelihood and pair distance over shared last layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations, combinations_with_replacement
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from crossmodal.modality import Modality
from training.batches.class_masks import class_masks, require_classes
from training.batches.sampling import Batch
from training.config import check_range
from training.data import TrainingData
from training.fitting.dual_encoder import partners
from training.fitting.network_fit import NetworkSettings, train_networks
from training.losses.label import label_loss, pair_likelihood
from training.losses.pair_distance import pair_distance
from training.methods.kinds import EpochChosen
from training.methods.method import FitContext, MethodCard, Problem, Towers, Training
from training.towers.networks import NetworkTower, mlp


@dataclass(frozen=True, slots=True, kw_only=True)
class DscmrSettings(NetworkSettings):
    """Settings of deep supervised cross-modal retrieval.

    Attributes:
        dim: Width of the shared layer, which is the embedding.
        hidden: Width of each modality's own layer.
        dropout: Share of that layer dropped in training.
        batch_norm: Whether it is normalised.
        standardize: Whether features are centred and divided by their deviation.
        likelihood: Weight of the pair likelihood in the shared layer.
        distance: Weight of the distance between members of a pair.
    """

    dim: int = 128
    hidden: int = 256
    dropout: float = 0.5
    batch_norm: bool = True
    standardize: bool = True
    likelihood: float = 1e-3
    distance: float = 0.1

    def __post_init__(self) -> None:
        NetworkSettings.__post_init__(self)
        check_range("dim", self.dim, 1, 65536)
        check_range("hidden", self.hidden, 1, 65536)
        check_range("dropout", self.dropout, 0, 0.95)
        check_range("likelihood", self.likelihood, 0, 1e6)
        check_range("distance", self.distance, 0, 1e6)


class Dscmr(EpochChosen):
    r"""Own first layers, one shared layer, and a shared linear head that predicts labels.

    Objective: $L = \sum_m \frac1n\sum_i\lVert P^m_i - Y_i\rVert_2 + \lambda \sum_{m \le
    m'} \ell(z^m, z^{m'}) + \eta \frac1n\sum_i\lVert z^a_i - z^v_i\rVert_2$, with $\ell$
    the mean negative log-likelihood that pairs share a class given half their cosine,
    $\lambda = 10^{-3}$, $\eta = 10^{-1}$. The head is dropped after training.

    Departures: norms are per row, as in the authors' code, not one norm of the matrix as
    printed; the epoch is chosen on validation, where the code looks at its test set; rows
    without a partner count in every term but the distance. ``tuned`` has narrower layers,
    standardised features, batch norm and dropout, larger steps, and a likelihood that
    weighs as much as the labels, which validation prefers.

    Supervision: labels and pairs. Embedding: the shared layer, compared by cosine.

    Source:
        Zhen et al. 2019, Deep supervised cross-modal retrieval, CVPR.
    """

    card: ClassVar[MethodCard] = MethodCard(
        name="dscmr",
        title="Deep supervised cross-modal retrieval",
        source="Zhen et al. 2019",
        supervision="labels+pairs",
        needs_pairs=True,
        embedding="shared layer",
        exportable=True,
    )
    presets: ClassVar[Mapping[str, DscmrSettings]] = {
        "paper": DscmrSettings(
            dim=1024,
            hidden=2048,
            dropout=0.0,
            batch_norm=False,
            standardize=False,
            epochs=500,
            least_steps=0,
            optimizer="adam",
            rate=1e-4,
            momentum=0.5,
            weight_decay=0.0,
            schedule="constant",
            sampler="shuffled",
            batch=100,
        ),
        "tuned": DscmrSettings(rate=3e-3, likelihood=3.0),
    }
    grids: ClassVar[tuple[Mapping[str, tuple[Any, ...]], ...]] = ()

    def build(self, settings: DscmrSettings, problem: Problem) -> Towers:
        """Return one network per modality; their last layer is one module."""
        shared = nn.Linear(settings.hidden, settings.dim)
        towers = {}
        for modality, dim in sorted(problem.dims.items()):
            network = mlp(
                [dim, settings.hidden, settings.dim],
                dropout=settings.dropout,
                batch_norm=settings.batch_norm,
            )
            network[-1] = shared
            towers[modality] = NetworkTower(dim, network)
        return towers

    def fit(
        self,
        towers: Towers,
        train: TrainingData,
        validation: TrainingData | None,
        settings: DscmrSettings,
        context: FitContext,
    ) -> Training:
        """Train; the epoch best on validation is kept, the last without validation.

        Raises:
            DataError: If there are no two classes to tell apart, or training diverges.
        """
        require_classes(train, "DSCMR")
        train = context.paired(train)
        head = nn.Linear(settings.dim, len(train.classes))
        return train_networks(
            towers,
            train,
            validation,
            settings,
            context,
            lambda embedded, batch: losses(embedded, head, batch, settings),
            standardize=settings.standardize,
            head=head,
        )


def losses(
    embedded: Mapping[Modality, Tensor],
    head: nn.Module,
    batch: Batch,
    settings: DscmrSettings,
) -> dict[str, Tensor]:
    """Return the loss and its terms, for shared-layer outputs of any length."""
    device = next(iter(embedded.values())).device
    by_label, by_class, by_pair = [], [], []
    for modality, rows in embedded.items():
        labels = torch.from_numpy(batch.labels[modality]).to(device)
        by_label.append(label_loss(head(rows), labels))
    for one, other in combinations_with_replacement(sorted(embedded), 2):
        same, _ = class_masks(batch, one, other, device)
        if one == other:
            same = same.fill_diagonal_(True)
        by_class.append(pair_likelihood(embedded[one], embedded[other], same))
    for one, other in combinations(sorted(embedded), 2):
        ours, theirs = partners(batch, one, other)
        by_pair.append(pair_distance(embedded[one][ours], embedded[other][theirs]))
    terms = {
        "label": torch.stack(by_label).sum(),
        "likelihood": torch.stack(by_class).sum(),
        "distance": torch.stack(by_pair).sum(),
    }
    total = (
        terms["label"]
        + settings.likelihood * terms["likelihood"]
        + settings.distance * terms["distance"]
    )
    return {"loss": total, **terms}
