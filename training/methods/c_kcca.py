"""Cluster KCCA: canonical correlation of kernel features over every pair of one class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from training.config import check_range
from training.correlation.pair_sets import PairSet, moments_of
from training.data import TrainingData
from training.methods import kernel
from training.methods.kernel import KernelSettings
from training.methods.kinds import ClosedForm
from training.methods.method import FitContext, MethodCard, Problem, Towers


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterKernelSettings(KernelSettings):
    """Settings of cluster KCCA; the others are kernel CCA's.

    Attributes:
        sigma: Share of the true pairs' moments; the rest is the class pairs'.
        limit_rank: Whether to keep no more than classes - 1 components while sigma is 0,
            as class pairs determine no more and the rest are arbitrary directions.
    """

    sigma: float = 0.0
    limit_rank: bool = True

    def __post_init__(self) -> None:
        KernelSettings.__post_init__(self)
        check_range("sigma", self.sigma, 0, 1)


class ClusterKernelCca(ClosedForm):
    """Nonlinear directions along which features of one class correlate most.

    Objective: cluster CCA's, on the kernel features of ``kcca``; the class pairs are
    never listed.

    Departures: no kernel is stated where scores are printed; the width is read as for
    ``kcca``, and ``tuned`` takes it from the median distance. The printed scores equal
    linear CCA's although labels are used, so they are no target.

    Source:
        Rasiwasia et al. 2014, Cluster Canonical Correlation Analysis.
    """

    card: ClassVar[MethodCard] = MethodCard(
        name="c_kcca",
        title="Cluster KCCA",
        source="Rasiwasia et al. 2014",
        supervision="labels",
        needs_pairs=False,
        embedding="canonical components of kernel features",
        exportable=True,
    )
    presets: ClassVar[Mapping[str, ClusterKernelSettings]] = {
        "paper": ClusterKernelSettings(width="absolute", gamma=0.4, limit_rank=False),
        "tuned": ClusterKernelSettings(),
    }
    grids: ClassVar[tuple[Mapping[str, tuple[Any, ...]], ...]] = (
        {"gamma": (0.3, 1.0), "ridge": (1e-4, 1e-3, 1e-2), "k": (5, 9, 27)},
    )

    def build(self, settings: ClusterKernelSettings, problem: Problem) -> Towers:
        """Return two kernel towers onto the components that mean something."""
        return kernel.build(problem, _components(settings, problem), settings)

    def fit(
        self,
        towers: Towers,
        train: TrainingData,
        validation: TrainingData | None,
        settings: ClusterKernelSettings,
        context: FitContext,
    ) -> None:
        """Fit on sums per class; true pairs are used if sigma is above 0.

        Raises:
            DataError: If no class is present in both modalities, or there are fewer
                items than components.
        """
        components = _components(settings, Problem.of(train))
        pair_set = PairSet(sigma=settings.sigma, seed=context.seed)
        solution = kernel.fit(
            towers,
            train,
            settings,
            context,
            components=components,
            moments=lambda kernels: moments_of(kernels, train, pair_set),
            pair_set=f"classes, sigma {settings.sigma}",
        )
        if components < settings.k:
            context.note(f"k={settings.k}: {components} components kept")
        if solution.rank < components:
            context.note(
                f"only {solution.rank} of {components} components correlate; the others "
                "are arbitrary directions"
            )


def _components(settings: ClusterKernelSettings, problem: Problem) -> int:
    if settings.limit_rank and settings.sigma == 0:
        return max(1, min(settings.k, problem.classes - 1))
    return settings.k
