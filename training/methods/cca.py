"""Canonical correlation analysis of true pairs: the linear baseline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from training.config import Settings, check_choice, check_range
from training.correlation.linear_cca import Moments, pair_moments
from training.correlation.moments import ChosenRows
from training.data import TrainingData
from training.methods import linear
from training.methods.kinds import ClosedForm
from training.methods.method import FitContext, MethodCard, Problem, Towers


@dataclass(frozen=True, slots=True, kw_only=True)
class CcaSettings(Settings):
    """Settings of CCA.

    Attributes:
        k: Components; at most the smaller feature width.
        ridge: Added to the diagonals, relative to the mean variance.
        standardize: Whether features are divided by their standard deviation.
        scale: ``rho`` multiplies each component by its correlation, ``none`` does not.
    """

    k: int = 10
    ridge: float = 0.1
    standardize: bool = True
    scale: str = "none"

    def __post_init__(self) -> None:
        check_range("k", self.k, 1, 4096)
        check_range("ridge", self.ridge, 1e-12, 1e6)
        check_choice("scale", self.scale, linear.SCALES)


class Cca(ClosedForm):
    """Directions along which the two features of a pair correlate most.

    Source:
        Hotelling 1936, Relations between two sets of variates.
    """

    card: ClassVar[MethodCard] = MethodCard(
        name="cca",
        title="Canonical correlation analysis",
        source="Hotelling 1936",
        supervision="pairs",
        needs_pairs=True,
        embedding="canonical components",
        exportable=True,
    )
    presets: ClassVar[Mapping[str, CcaSettings]] = {
        "paper": CcaSettings(k=10, ridge=1e-4, standardize=False),
        "tuned": CcaSettings(),
    }
    grids: ClassVar[tuple[Mapping[str, tuple[Any, ...]], ...]] = (
        {"ridge": (1e-4, 0.01, 0.1, 1.0), "k": (5, 7, 9, 10, 20)},
    )

    def build(self, settings: CcaSettings, problem: Problem) -> Towers:
        """Return two projections of at most the smaller feature width."""
        return linear.build(problem, _components(settings, problem))

    def fit(
        self,
        towers: Towers,
        train: TrainingData,
        validation: TrainingData | None,
        settings: CcaSettings,
        context: FitContext,
    ) -> None:
        """Fit on the pairs of the training data; without pairs, on drawn ones."""
        components = _components(settings, Problem.of(train))
        if components < settings.k:
            context.note(
                f"k={settings.k} is more than the features have: {components} kept"
            )
        train = context.paired(train)
        features = linear.standardize(
            towers, train, divide=settings.standardize, context=context
        )

        def moments() -> Moments:
            paired = train.with_drawn_pairs(context.seed)
            rows = paired.pairs or {}
            return pair_moments(
                *(ChosenRows(features[m], rows[m]) for m in train.modalities)
            )

        linear.project(
            towers,
            context.remember(("pair moments", settings.standardize), moments),
            ridge=settings.ridge,
            components=components,
            scale=settings.scale,
            context=context,
        )


def _components(settings: CcaSettings, problem: Problem) -> int:
    return min(settings.k, *problem.dims.values())
