"""Deep towers of two modalities trained to correlate: what DCCA and its kin share."""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from crossmodal.modality import Modality
from training.batches.pair_batches import PairBatches
from training.batches.prepared import Prepared, prepare
from training.batches.sampling import Batch
from training.correlation.pair_sets import PairSet, check_shared_class, moments_of
from training.data import UNLABELED, TrainingData
from training.fitting.loop import train_epochs
from training.fitting.projected_epochs import ProjectedEpochs
from training.losses.correlation import (
    OBJECTIVES,
    Covariances,
    canonical_correlations,
    class_covariances,
    pair_covariances,
)
from training.methods import linear
from training.methods.deep_settings import DeepSettings, widths_of
from training.methods.method import FitContext, Problem, Towers, Training
from training.towers.correlated_tower import CorrelatedTower
from training.towers.networks import mlp


def build(settings: DeepSettings, problem: Problem) -> dict[Modality, CorrelatedTower]:
    """Return one untrained tower per modality.

    Raises:
        DataError: If there are not exactly two modalities.
    """
    linear.check_two(problem)
    towers = {}
    names = ("left_layers", "right_layers")
    for modality, name in zip(problem.modalities, names, strict=True):
        dim, widths = problem.dims[modality], widths_of(name, getattr(settings, name))
        network = mlp(
            [dim, *widths],
            activation=settings.activation,
            last=settings.last,
            dropout=settings.dropout,
            batch_norm=settings.batch_norm,
            shifts=False,
        )
        if settings.input_norm:
            network = nn.Sequential(nn.BatchNorm1d(dim), network)
        towers[modality] = CorrelatedTower(
            dim, network, outputs=widths[-1], components=settings.components
        )
    return towers


def fit(
    towers: Towers,
    train: TrainingData,
    validation: TrainingData | None,
    settings: DeepSettings,
    context: FitContext,
    pair_set: PairSet,
) -> Training:
    """Train on batches of pairs; after a scored epoch, project by CCA on all of train.

    Args:
        towers: Correlated towers.
        train: Pairs are drawn from classes if it has none.
        validation: Chooses the epoch; without it the last is kept.
        settings: Of the networks and their training.
        context: Seed, device, log.
        pair_set: Which pairs count, in batches and in the projection.

    Raises:
        DataError: If class pairs are asked for and there are none, if there are fewer
            than two pairs, or if training diverges.
    """
    paired = context.paired(train)
    if pair_set.share < 1:
        check_shared_class(paired)
    prepared = prepare(towers, paired, context, divide=settings.standardize)
    model = nn.ModuleDict({m.value: tower for m, tower in towers.items()})
    batches = PairBatches(
        paired,
        settings.batch,
        np.random.default_rng(context.seed),
        shuffle=settings.shuffle,
    )
    compute = OBJECTIVES[settings.objective]
    partners = pair_set.partners(paired.labels[paired.modalities[1]])
    keeper = ProjectedEpochs(
        towers,
        prepared,
        validation,
        context,
        ridge=settings.ridge,
        moments=lambda outputs: moments_of(outputs, paired, pair_set),
    )

    def losses(batch: Batch) -> dict[str, Tensor]:
        covariances = covariances_of(towers, prepared, batch, pair_set, partners)
        correlations = canonical_correlations(covariances, settings.ridge)
        return {"loss": compute(correlations, settings.components)}

    train_epochs(
        model,
        lambda epoch: batches,
        losses,
        settings.optimization,
        steps_per_epoch=len(batches),
        device=context.device,
        after_epoch=lambda epoch, terms: keeper.see(
            epoch, terms, scored=settings.is_scored(epoch)
        ),
        checkpoints=context.checkpoints,
        beside=[keeper],
    )
    return keeper.finish()


def covariances_of(
    towers: Towers,
    prepared: Prepared,
    batch: Batch,
    pair_set: PairSet,
    partners: np.ndarray,
) -> Covariances:
    """Return the covariances of the outputs of a batch over a pair set.

    Where a batch happens to hold no class pair, its true pairs count alone.

    Args:
        towers: Correlated towers, left modality first.
        prepared: Features by row.
        batch: Row i of both modalities is one pair.
        pair_set: Which pairs count.
        partners: Which right items take part in class pairs.
    """
    left, right = prepared.data.modalities
    ours, theirs = (
        cast(CorrelatedTower, towers[m]).outputs(prepared.rows(m, batch))
        for m in (left, right)
    )
    chosen = partners[batch.rows[right]]
    labels = batch.labels[left], np.where(chosen, batch.labels[right], UNLABELED)
    shared = np.intersect1d(*labels)
    if pair_set.share == 1 or not (shared != UNLABELED).any():
        return pair_covariances(ours, theirs)
    by_class = class_covariances(
        ours, theirs, *(torch.from_numpy(part).to(ours.device) for part in labels)
    )
    if not pair_set.takes_pairs():
        return by_class
    by_pair = pair_covariances(ours, theirs)
    blended = by_class.blend(by_pair, pair_set.share)
    return blended if pair_set.marginals == "matched" else blended.with_marginals(by_pair)
