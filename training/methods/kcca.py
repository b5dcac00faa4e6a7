"""Kernel CCA: canonical correlation of Gaussian kernel features of true pairs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from training.correlation.pair_sets import PairSet, moments_of
from training.data import TrainingData
from training.methods import kernel
from training.methods.kernel import KernelSettings
from training.methods.kinds import ClosedForm
from training.methods.method import FitContext, MethodCard, Problem, Towers


class KernelCca(ClosedForm):
    r"""Nonlinear directions along which the two features of a pair correlate most.

    Objective: $\max \alpha^T K_x K_y \beta$ subject to
    $\alpha^T(K_x^2/N + rK_x)\alpha = 1$, the same for $\beta$, kernels centred. It is
    solved as linear CCA on kernel features with a landmark per item up to ``exact``
    items, with drawn landmarks above (Nyström), under a ridge that is not relative.

    Departures: the published width 0.4 has no definition and is read as gamma on
    standardised unit-norm input, as no scaling of the input is stated either. ``tuned``
    takes the width from the median distance. ``standardize=false normalize=false`` is
    the kernel on raw features.

    Source:
        Lai and Fyfe 2000, Kernel and nonlinear canonical correlation analysis; width of
        Zeng 2020, Deep alignment representation learning.
    """

    card: ClassVar[MethodCard] = MethodCard(
        name="kcca",
        title="Kernel CCA",
        source="Lai and Fyfe 2000",
        supervision="pairs",
        needs_pairs=True,
        embedding="canonical components of kernel features",
        exportable=True,
    )
    presets: ClassVar[Mapping[str, KernelSettings]] = {
        "paper": KernelSettings(width="absolute", gamma=0.4),
        "tuned": KernelSettings(),
    }
    grids: ClassVar[tuple[Mapping[str, tuple[Any, ...]], ...]] = (
        {"gamma": (0.3, 1.0), "ridge": (1e-4, 1e-3, 1e-2), "k": (5, 10, 20)},
    )

    def build(self, settings: KernelSettings, problem: Problem) -> Towers:
        """Return two kernel towers."""
        return kernel.build(problem, settings.k, settings)

    def fit(
        self,
        towers: Towers,
        train: TrainingData,
        validation: TrainingData | None,
        settings: KernelSettings,
        context: FitContext,
    ) -> None:
        """Fit on the pairs of the training data; without pairs, on drawn ones.

        Raises:
            DataError: If there are fewer items than components.
        """
        train = context.paired(train)
        pair_set = PairSet(sigma=1.0, seed=context.seed)
        kernel.fit(
            towers,
            train,
            settings,
            context,
            components=settings.k,
            moments=lambda kernels: moments_of(kernels, train, pair_set),
            pair_set="pairs",
        )
