"""Earshot: calibrated kernel posteriors and canonical pair coordinates in one embedding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import numpy as np
import torch

from training.classification.earshot_posterior import KERNELS, fit_posterior
from training.config import Settings, check_range
from training.correlation.linear_cca import Solution, pair_moments, solve
from training.data import TrainingData
from training.methods import linear
from training.methods.method import FitContext, MethodCard, Problem, Towers
from training.towers.earshot_tower import EarshotTower


@dataclass(frozen=True, slots=True, kw_only=True)
class EarshotSettings(Settings):
    """Settings of Earshot.

    Attributes:
        share: Weight of the pair coordinates in the inner product; the posteriors have
            the rest. A little decides between items of one class and costs hardly any
            order between classes.
        components: Canonical components of the pair coordinates, at most the smaller
            feature width.
        pair_ridge: Ridge of their correlation analysis, relative to the mean variance.
        exact: Up to this many training items every one is a landmark.
        landmarks: Landmarks drawn among more.
        judged: Items drawn among more that choose penalties of logistic regressions and
            the pooling.
    """

    share: float = 0.02
    components: int = 128
    pair_ridge: float = 1.0
    exact: int = 800
    landmarks: int = 800
    judged: int = 2500

    def __post_init__(self) -> None:
        check_range("share", self.share, 0, 1)
        check_range("components", self.components, 1, 4096)
        check_range("pair_ridge", self.pair_ridge, 1e-12, 1e6)
        check_range("exact", self.exact, 2, 20_000)
        check_range("landmarks", self.landmarks, 2, 20_000)
        check_range("judged", self.judged, 20, 1_000_000)


class Earshot:
    r"""Rank by the probability that classes agree, and within a class by the pair.

    The score is $(1-s)\sum_c p(c|x)\,p(c|y) + s\cos(u(x), v(y))$, exactly the inner
    product of the embeddings.

    The posterior pools sixteen regressions onto the classes: linear, Gaussian of two
    widths and Laplacian, on the features and on their signed square roots, each once by
    least squares and once by likelihood. Each one's penalty and the pooling are fitted
    to scores of items left out with all of their group, so the posterior is calibrated
    for sources it has not met without giving up training data. The pair coordinates are
    linear canonical components scaled by their squared correlations. Nothing is iterated
    over epochs and nothing is drawn but, of large data, landmarks and the items judged.

    Supervision: labels; true pairs where there are any, else the pair coordinates are
    zero.

    Source:
        This project. Robertson 1977 for the ranking by posteriors; Allen 1974 for the
        scores left out; Böhning 1992 for the likelihood; Breiman 1996 for the pooling;
        Hotelling 1936 for the pairs.
    """

    card: ClassVar[MethodCard] = MethodCard(
        name="earshot",
        title="Kernel posteriors with canonical pair coordinates",
        source="this project",
        supervision="labels+pairs",
        needs_pairs=False,
        embedding="class probabilities, pair coordinates, lifted to unit norm",
        exportable=True,
    )
    presets: ClassVar[Mapping[str, EarshotSettings]] = {"tuned": EarshotSettings()}
    grids: ClassVar[tuple[Mapping[str, tuple[Any, ...]], ...]] = ()

    def build(self, settings: EarshotSettings, problem: Problem) -> Towers:
        """Return one tower per modality."""
        linear.check_two(problem)
        components = min(settings.components, *problem.dims.values())
        return {
            modality: EarshotTower(
                problem.dims[modality],
                problem.classes,
                shapes=[shape for shape, _ in KERNELS],
                components=components,
                share=settings.share,
                lift=number,
                lifts=len(problem.dims),
            )
            for number, modality in enumerate(problem.modalities)
        }

    def fit(
        self,
        towers: Towers,
        train: TrainingData,
        validation: TrainingData | None,
        settings: EarshotSettings,
        context: FitContext,
    ) -> None:
        """Fit posteriors, then the pair coordinates.

        Raises:
            DataError: If a modality has fewer than two labeled classes.
        """
        for number, modality in enumerate(train.modalities):
            tower = cast(EarshotTower, towers[modality])
            rng = np.random.default_rng((context.seed, number))
            fit_posterior(
                tower,
                train,
                modality,
                exact=settings.exact,
                landmarks=settings.landmarks,
                judged=settings.judged,
                rng=rng,
            )
        if train.pairs is None:
            context.note("no pairs in the data: the pair coordinates are zero")
        else:
            fit_pair(towers, train, settings)

    def refits(self, settings: EarshotSettings) -> bool:
        """A closed form needs no validation data once its settings are chosen."""
        return True

    def same_modality_mask(
        self, settings: EarshotSettings, problem: Problem
    ) -> tuple[int, ...]:
        """The lift dimensions: within a modality they would count as likeness."""
        lifted = problem.classes + min(settings.components, *problem.dims.values())
        return tuple(range(lifted, lifted + len(problem.dims)))


def fit_pair(towers: Towers, train: TrainingData, settings: EarshotSettings) -> Solution:
    """Fit the canonical components of true pairs, scaled by squared correlations."""
    views = {m: cast(EarshotTower, towers[m]).plain for m in train.modalities}
    pairs = train.pairs or {}
    left, right = (
        views[m].standardize.transform(train.features[m][pairs[m]]) for m in views
    )
    moments = pair_moments(left, right)
    solution = solve(moments, settings.pair_ridge)
    offsets = (moments.left_mean, moments.right_mean)
    weights = (solution.left, solution.right)
    for modality, offset, weight in zip(views, offsets, weights, strict=True):
        tower = cast(EarshotTower, towers[modality])
        kept = tower.pair_weight.shape[1]
        scaled = (weight * solution.correlations**2)[:, :kept]
        tower.pair_offset.copy_(torch.from_numpy(offset))
        tower.pair_weight.copy_(torch.from_numpy(scaled))
    return solution
