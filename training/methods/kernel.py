"""Kernel towers of two modalities: what kernel CCA and its cluster variant share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
from jaxtyping import Float64

from crossmodal.errors import DataError
from crossmodal.modality import Modality
from training.config import Settings, check_choice, check_range
from training.correlation.kernels import KernelMap, UnitRows, choose_landmarks, median_gamma
from training.correlation.linear_cca import Moments, Penalty, Solution, solve
from training.correlation.moments import Rows
from training.data import TrainingData
from training.methods import linear
from training.methods.method import FitContext, Problem, Towers
from training.towers.kernel_tower import KernelTower
from training.towers.tower import StandardizedRows

Kernels = Mapping[Modality, Float64[np.ndarray, "_ _"]]

WIDTHS = ("median", "absolute")
SOLVED = 30  # directions solved for at once, so that several k share them


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelSettings(Settings):
    """Settings of kernel CCA.

    Attributes:
        k: Components.
        ridge: Added to the variance of every kernel feature; they sum to less than 1.
        width: What gamma is a multiple of: ``median``, of one over the median squared
            distance of training items; ``absolute``, of 1.
        gamma: Inner scale of the Gaussian kernel; larger is narrower.
        exact: Up to this many training items every one is a landmark.
        landmarks: Landmarks drawn among more.
        standardize: Whether features are divided by their standard deviation.
        normalize: Whether they are then scaled to unit norm.
        scale: ``rho`` multiplies each component by its correlation, ``none`` does not.
    """

    k: int = 10
    ridge: float = 1e-3
    width: str = "median"
    gamma: float = 1.0
    exact: int = 3000
    landmarks: int = 1000
    standardize: bool = True
    normalize: bool = True
    scale: str = "none"

    def __post_init__(self) -> None:
        check_range("k", self.k, 1, 4096)
        check_range("ridge", self.ridge, 1e-12, 1e6)
        check_choice("width", self.width, WIDTHS)
        check_range("gamma", self.gamma, 1e-9, 1e9)
        check_range("exact", self.exact, 1, 20_000)
        check_range("landmarks", self.landmarks, 1, 20_000)
        check_choice("scale", self.scale, linear.SCALES)


@dataclass(frozen=True, slots=True)
class KernelMoments:
    """Each modality's kernel, and the moments of both over the pairs."""

    maps: Mapping[Modality, KernelMap]
    moments: Moments
    penalties: tuple[Penalty, Penalty]


def build(
    problem: Problem, components: int, settings: KernelSettings
) -> dict[Modality, KernelTower]:
    """Return one untrained tower per modality.

    Raises:
        DataError: If there are not exactly two modalities.
    """
    linear.check_two(problem)
    return {
        m: KernelTower(problem.dims[m], components, normalize=settings.normalize)
        for m in problem.modalities
    }


def fit(
    towers: Towers,
    train: TrainingData,
    settings: KernelSettings,
    context: FitContext,
    *,
    components: int,
    moments: Callable[[Kernels], Moments],
    pair_set: str,
) -> Solution:
    """Choose landmarks, solve CCA on the kernel features and load the towers.

    Args:
        towers: Kernel towers, left modality first.
        train: Every item may become a landmark, with or without a partner.
        settings: Kernel, ridge and scale.
        context: What depends on the kernel alone is shared through it.
        components: Embedding size.
        moments: Returns the moments of both modalities' kernel rows over its pairs.
        pair_set: What tells these moments from others of the same kernel.

    Raises:
        DataError: If a modality has fewer landmarks than there are components, or half
            of its items are equal.
    """
    rows = linear.standardize(towers, train, divide=settings.standardize, context=context)
    known = context.remember(
        (
            "kernel moments",
            pair_set,
            settings.width,
            settings.gamma,
            settings.exact,
            settings.landmarks,
            settings.standardize,
            settings.normalize,
        ),
        lambda: _kernel_moments(rows, settings, context, moments),
    )
    for modality, one in known.maps.items():
        if len(one.landmarks) < components:
            raise DataError(
                f"{modality}: {components} components need {components} items or more, "
                f"got {len(one.landmarks)}"
            )
    most = max(SOLVED, components)
    solution = context.remember(
        ("kernel solution", id(known), settings.ridge, most),
        lambda: solve(
            known.moments, settings.ridge, penalties=known.penalties, components=most
        ),
    )
    factor = solution.correlations[:components] if settings.scale == "rho" else 1.0
    sides = (
        (known.moments.left_mean, solution.left),
        (
            known.moments.right_mean,
            solution.right,
        ),
    )
    for modality, (mean, directions) in zip(train.modalities, sides, strict=True):
        one = known.maps[modality]
        cast(KernelTower, towers[modality]).set_kernel(
            one.landmarks, one.gamma, mean, directions[:, :components] * factor
        )
    return solution


def _kernel_moments(
    standardized: Mapping[Modality, StandardizedRows],
    settings: KernelSettings,
    context: FitContext,
    moments: Callable[[Kernels], Moments],
) -> KernelMoments:
    maps, kernels = {}, {}
    for number, (modality, features) in enumerate(standardized.items()):
        rows: Rows = UnitRows(features) if settings.normalize else features
        rng = np.random.default_rng((context.seed, number))
        unit = _unit(rows, modality, rng) if settings.width == "median" else 1.0
        chosen = choose_landmarks(
            len(rows), exact=settings.exact, landmarks=settings.landmarks, rng=rng
        )
        maps[modality] = KernelMap(rows[chosen], settings.gamma * unit)
        kernels[modality] = maps[modality].kernel_of_all(rows)
    left, right = (one.penalty() for one in maps.values())
    return KernelMoments(maps, moments(kernels), (left, right))


def _unit(rows: Rows, modality: Modality, rng: np.random.Generator) -> float:
    try:
        return median_gamma(rows, rng)
    except ValueError as error:
        raise DataError(f"{modality}: {error}") from error
