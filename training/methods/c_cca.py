"""Cluster CCA: canonical correlation over every pair of one class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from training.config import Settings, check_choice, check_range
from training.correlation.pair_sets import PairSet, moments_of
from training.data import TrainingData
from training.methods import linear
from training.methods.kinds import ClosedForm
from training.methods.method import FitContext, MethodCard, Problem, Towers


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterCcaSettings(Settings):
    """Settings of cluster CCA.

    Attributes:
        k: Components; at most the smaller feature width.
        ridge: Added to the diagonals, relative to the mean variance.
        sigma: Share of the true pairs' moments; the rest is the class pairs'.
        limit_rank: Whether to keep no more than classes - 1 components while sigma is 0,
            as class pairs determine no more and the rest are arbitrary directions.
        standardize: Whether features are divided by their standard deviation.
        scale: ``rho`` multiplies each component by its correlation, ``none`` does not.
    """

    k: int = 10
    ridge: float = 0.1
    sigma: float = 0.0
    limit_rank: bool = True
    standardize: bool = True
    scale: str = "none"

    def __post_init__(self) -> None:
        check_range("k", self.k, 1, 4096)
        check_range("ridge", self.ridge, 1e-12, 1e6)
        check_range("sigma", self.sigma, 0, 1)
        check_choice("scale", self.scale, linear.SCALES)


class ClusterCca(ClosedForm):
    """Directions along which features of one class correlate most, in closed form.

    The blend takes marginals and cross covariance with one weight, which keeps every
    correlation at 1 or below; published descriptions leave the marginals unweighted.

    Source:
        Rasiwasia et al. 2014, Cluster Canonical Correlation Analysis.
    """

    card: ClassVar[MethodCard] = MethodCard(
        name="c_cca",
        title="Cluster CCA",
        source="Rasiwasia et al. 2014",
        supervision="labels",
        needs_pairs=False,
        embedding="canonical components",
        exportable=True,
    )
    presets: ClassVar[Mapping[str, ClusterCcaSettings]] = {
        "paper": ClusterCcaSettings(k=10, ridge=1e-4, limit_rank=False, standardize=False),
        "tuned": ClusterCcaSettings(),
    }
    grids: ClassVar[tuple[Mapping[str, tuple[Any, ...]], ...]] = (
        {"ridge": (1e-4, 0.01, 0.1, 1.0), "k": (5, 7, 9, 14, 27)},
    )

    def build(self, settings: ClusterCcaSettings, problem: Problem) -> Towers:
        """Return two projections onto the components that mean something."""
        return linear.build(problem, _components(settings, problem))

    def fit(
        self,
        towers: Towers,
        train: TrainingData,
        validation: TrainingData | None,
        settings: ClusterCcaSettings,
        context: FitContext,
    ) -> None:
        """Fit on sums per class; true pairs are used if sigma is above 0.

        Raises:
            DataError: If no class is present in both modalities.
        """
        features = linear.standardize(
            towers, train, divide=settings.standardize, context=context
        )
        pair_set = PairSet(sigma=settings.sigma, seed=context.seed)
        components = _components(settings, Problem.of(train))
        solution = linear.project(
            towers,
            context.remember(
                ("class moments", settings.standardize, settings.sigma),
                lambda: moments_of(features, train, pair_set),
            ),
            ridge=settings.ridge,
            components=components,
            scale=settings.scale,
            context=context,
        )
        if components < settings.k:
            context.note(f"k={settings.k}: {components} components kept")
        if solution.rank < components:
            context.note(
                f"only {solution.rank} of {components} components correlate; the others "
                "are arbitrary directions"
            )


def _components(settings: ClusterCcaSettings, problem: Problem) -> int:
    most = min(settings.k, *problem.dims.values())
    if settings.limit_rank and settings.sigma == 0:
        return max(1, min(most, problem.classes - 1))
    return most
