"""VAE-CCA: autoencoders with a shared latent space, correlated in two ways."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from training.batches.class_masks import require_classes
from training.batches.sampling import Batch
from training.config import check_range
from training.correlation.pair_sets import PairSet, moments_of
from training.data import UNLABELED, TrainingData
from training.fitting.loop import train_epochs
from training.fitting.projected_epochs import ProjectedEpochs
from training.fitting.variational import VariationalSettings, encoders, parts_of
from training.losses.correlation import class_correlation_loss, correlation_loss
from training.methods import linear
from training.methods.kinds import EpochChosen
from training.methods.method import FitContext, MethodCard, Problem, Towers, Training
from training.towers.correlated_tower import CorrelatedTower

Step = tuple[Batch, bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class VaeCcaSettings(VariationalSettings):
    """Settings of VAE-CCA, beside those of the autoencoders.

    Attributes:
        k: Components of the final projection; at most the latent size.
        ridge: Of correlations and projection, relative to the mean variance.
        sigma: Share of the true pairs in the final projection.
        canonical_weight: Weight of the mean of pairwise and class correlation.
        pretrain: Epochs of the autoencoders alone, at the highest rate.
        alternate: Whether every batch gives a step of the autoencoders alone first.
    """

    k: int = 10
    ridge: float = 1e-3
    sigma: float = 0.2
    canonical_weight: float = 0.1
    pretrain: int = 3
    alternate: bool = False

    def __post_init__(self) -> None:
        VariationalSettings.__post_init__(self)
        check_range("k", self.k, 1, 4096)
        check_range("ridge", self.ridge, 1e-12, 1e6)
        check_range("sigma", self.sigma, 0, 1)
        check_range("canonical_weight", self.canonical_weight, 0, 1e6)
        check_range("pretrain", self.pretrain, 0, 100_000)


class VaeCca(EpochChosen):
    r"""Autoencoders that share their last encoder layers; latents correlate by two CCAs.

    Objective: $L = L_{discr} + \lambda_1 L_V + \lambda_2 L_{corr} + \lambda_3 L_{dist} +
    \lambda_4 L_{center} - \frac{\lambda_c}{2}(\bar\rho_{pair} + \bar\rho_{class})$:
    label regression by row norms, reconstruction and divergence, the likelihood that
    pairs share a class given half their cosine, the distance between partners, half the
    squared distance to learned class centres, and mean canonical correlations of latent
    means over true pairs and over class pairs. Stage one trains $L_V$ alone, stage two
    everything. The embedding is a linear CCA of latent means, fitted on the training data
    over true pairs and class pairs, at unit norm.

    Supervision: labels and pairs.

    Departures: the likelihood is maximised, where the print maximises its negative;
    "corr" is read as the cosine and the indicator as equality of classes; norms are per
    row; samples are drawn as mean plus deviation times noise. The two CCA spaces of the
    text have no formula there: they are the two correlations above, of weight 0.1.
    Layers have ReLU, where the table prints linear ones throughout. The final projection
    is not described. ``tuned`` applies labels, pairs and centres to latent means instead
    of samples, standardises, and has dropout, a larger rate, fewer units and fewer
    steps.

    Source:
        Zhang, Yu, Tang, Wu and Li 2023, Variational autoencoder with CCA for audio-visual
        cross-modal retrieval, ACM TOMM.
    """

    card: ClassVar[MethodCard] = MethodCard(
        name="vae_cca",
        title="Variational autoencoders with CCA",
        source="Zhang et al. 2023",
        supervision="labels+pairs",
        needs_pairs=True,
        embedding="canonical components of latent means",
        exportable=True,
    )
    presets: ClassVar[Mapping[str, VaeCcaSettings]] = {
        "paper": VaeCcaSettings(
            dropout=0.0,
            standardize=False,
            sampled=True,
            least_steps=0,
            ridge=1e-4,
            rate=3.5e-4,
            weight_decay=0.0,
            schedule="warmup_step",
            pretrain=20,
            epochs=500,
            score_every=5,
        ),
        "tuned": VaeCcaSettings(
            hidden=256, batch=256, epochs=10, least_steps=500, score_every=1
        ),
    }
    grids: ClassVar[tuple[Mapping[str, tuple[Any, ...]], ...]] = ()

    def build(self, settings: VaeCcaSettings, problem: Problem) -> Towers:
        """Return one encoder per modality, with the projection of its latent means.

        Raises:
            DataError: If there are not exactly two modalities.
        """
        linear.check_two(problem)
        return {
            modality: CorrelatedTower(
                problem.dims[modality],
                network,
                outputs=settings.latent,
                components=min(settings.k, settings.latent),
            )
            for modality, network in encoders(settings, problem).items()
        }

    def fit(
        self,
        towers: Towers,
        train: TrainingData,
        validation: TrainingData | None,
        settings: VaeCcaSettings,
        context: FitContext,
    ) -> Training:
        """Train; the epoch best on validation is kept, the last without validation.

        Raises:
            DataError: If there are no two classes to tell apart, or training diverges.
        """
        require_classes(train, "VAE-CCA")
        train = context.paired(train)
        parts = parts_of(towers, train, settings, context)
        model, centers, batches = parts.model, parts.centers, parts.batches
        passes = settings.passes(len(batches))
        pair_set = PairSet(sigma=settings.sigma, seed=context.seed)
        keeper = ProjectedEpochs(
            towers,
            parts.prepared,
            validation,
            context,
            ridge=settings.ridge,
            moments=lambda outputs: moments_of(outputs, train, pair_set),
        )

        def loss(step: Step) -> dict[str, Tensor]:
            batch, everything = step
            latents = model.latents({m: parts.prepared.rows(m, batch) for m in batch.rows})
            if not everything:
                return {"loss": model.autoencoding(latents)}
            terms = model.terms(latents, batch, centers)
            means = [latents[m].mean for m in train.modalities]
            terms["canonical"] = canonical_loss(means, batch, settings)
            total = model.total(terms) + settings.canonical_weight * terms["canonical"]
            return {"loss": total, **terms}

        def deal(_: int) -> Iterator[Step]:
            for batch in batches:
                if settings.alternate:
                    yield batch, False
                yield batch, True

        if settings.pretrain:
            train_epochs(
                model,
                lambda epoch: ((batch, False) for batch in batches),
                loss,
                settings.optimization(settings.pretrain, "constant"),
                steps_per_epoch=len(batches),
                device=context.device,
                after_epoch=lambda epoch, terms: keeper.tell(
                    {"pretraining": epoch, **terms}
                ),
                checkpoints=context.checkpoints,
                beside=[keeper],
            )
        train_epochs(
            model,
            deal,
            loss,
            settings.optimization(passes, settings.schedule),
            steps_per_epoch=len(batches) * (2 if settings.alternate else 1),
            device=context.device,
            after_step=centers.after_step,
            after_epoch=lambda epoch, terms: keeper.see(
                epoch,
                terms,
                scored=settings.is_scored(epoch, passes),
            ),
            checkpoints=context.checkpoints,
            beside=[keeper, centers],
        )
        return keeper.finish()


def canonical_loss(means: list[Tensor], batch: Batch, settings: VaeCcaSettings) -> Tensor:
    """Return minus the average of pairwise and class correlation of latent means.

    A batch that holds no class in both modalities has the pairwise correlation alone.
    """
    left, right = means
    by_pair = correlation_loss(left, right, ridge=settings.ridge, components=settings.k)
    labels = [batch.labels[m] for m in sorted(batch.labels)]
    shared = np.intersect1d(labels[0], labels[1])
    present = int((shared != UNLABELED).sum())
    if present < 2:
        return by_pair.float()
    by_class = class_correlation_loss(
        left,
        right,
        torch.from_numpy(labels[0]).to(left.device),
        torch.from_numpy(labels[1]).to(left.device),
        ridge=settings.ridge,
        components=min(settings.k, present - 1),
    )
    return ((by_pair + by_class) / 2).float()
