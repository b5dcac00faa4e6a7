"""Earshot: calibrated kernel posteriors and canonical pair coordinates in one embedding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import numpy as np
import torch
from jaxtyping import Float64

from crossmodal.errors import DataError
from crossmodal.modality import Modality
from training.config import Settings, check_range
from training.data import UNLABELED, TrainingData
from training.earshot_tower import EarshotTower
from training.kernel_features import KernelFeatures
from training.kernel_ridge import ClassRidge, fit_class_ridge
from training.kernels import KernelMap, choose_landmarks, median_gamma
from training.linear_cca import Solution, pair_moments, solve
from training.methods import linear
from training.methods.method import FitContext, MethodCard, Problem, Towers
from training.score_pooling import fit_pooling

Rows = Float64[np.ndarray, "items dim"]

WIDTHS = (0.3, 1.0)
ABSENT = -1e4  # the score of a class that training did not hold


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
    """

    share: float = 0.02
    components: int = 128
    pair_ridge: float = 1.0
    exact: int = 800
    landmarks: int = 800

    def __post_init__(self) -> None:
        check_range("share", self.share, 0, 1)
        check_range("components", self.components, 1, 4096)
        check_range("pair_ridge", self.pair_ridge, 1e-12, 1e6)
        check_range("exact", self.exact, 2, 20_000)
        check_range("landmarks", self.landmarks, 2, 20_000)


class Earshot:
    r"""Rank by the probability that classes agree, and within a class by the pair.

    The score is $(1-s)\sum_c p(c|x)\,p(c|y) + s\cos(u(x), v(y))$, exactly the inner
    product of the embeddings.

    The posterior pools six ridge regressions onto the classes, linear and Gaussian of two
    widths, on the features and on their signed square roots. Each one's penalty and the
    pooling are fitted to scores of items left out with all of their group, in closed
    form, so the posterior is calibrated for sources it has not met without giving up
    training data. The pair coordinates are linear canonical components scaled by their
    squared correlations. Nothing is iterated over epochs and nothing is drawn but the
    landmarks of large data.

    Supervision: labels; true pairs where there are any, else the pair coordinates are
    zero.

    Source:
        This project. Robertson 1977 for the ranking by posteriors; Allen 1974 for the
        scores left out; Breiman 1996 for the pooling; Hotelling 1936 for the pairs.
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
                kernels=len(WIDTHS),
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
            fit_posterior(tower, train, modality, settings, rng)
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


def fit_posterior(
    tower: EarshotTower,
    train: TrainingData,
    modality: Modality,
    settings: EarshotSettings,
    rng: np.random.Generator,
) -> None:
    """Fit every view's regressions and pool them."""
    known = train.labels[modality] != UNLABELED
    labels = train.labels[modality][known]
    if len(np.unique(labels)) < 2:
        raise DataError(f"{modality}: a classifier needs two labeled classes or more")
    groups = train.group_numbers(modality)[known]
    features = train.features[modality][known]
    classes = len(train.classes)
    chosen = choose_landmarks(
        len(features), exact=settings.exact, landmarks=settings.landmarks, rng=rng
    )
    views = {view: view.fit_rows(features) for view in (tower.plain, tower.rooted)}
    maps = {view: _kernel_maps(rows, chosen, modality, rng) for view, rows in views.items()}
    heads: list[ClassRidge] = []
    for view, rows in views.items():
        heads.append(fit_class_ridge(rows, labels, groups, classes))
        for one in maps[view]:
            heads.append(fit_class_ridge(one.features(rows), labels, groups, classes))
    pooling = fit_pooling([head.left_out for head in heads], labels)
    offset = pooling.offset + sum(
        weight * head.offset for weight, head in zip(pooling.weights, heads, strict=True)
    )
    offset[np.setdiff1d(np.arange(classes), labels)] = ABSENT
    tower.offset.copy_(torch.from_numpy(offset))
    weighted = [w * head.weight for w, head in zip(pooling.weights, heads, strict=True)]
    per_view = 1 + len(WIDTHS)
    for number, (view, rows) in enumerate(views.items()):
        own = weighted[number * per_view : (number + 1) * per_view]
        view.set_maps(
            rows[chosen],
            [one.kernel.gamma for one in maps[view]],
            own[0],
            np.stack(
                [one.on_kernel(w) for one, w in zip(maps[view], own[1:], strict=True)]
            ),
        )


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


def _kernel_maps(
    rows: Rows, chosen: np.ndarray, modality: Modality, rng: np.random.Generator
) -> list[KernelFeatures]:
    try:
        unit = median_gamma(rows, rng)
    except ValueError as error:
        raise DataError(f"{modality}: {error}") from error
    return [KernelFeatures.of(KernelMap(rows[chosen], width * unit)) for width in WIDTHS]
