"""Linear towers of two modalities: what CCA and its kin share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from crossmodal.errors import DataError
from crossmodal.modality import Modality
from training.correlation.linear_cca import Moments, Solution, solve
from training.data import TrainingData
from training.methods.method import FitContext, Problem, Towers
from training.towers.tower import ProjectionTower, StandardizedRows, Standardizer

SCALES = ("none", "rho")


def build(problem: Problem, components: int) -> dict[Modality, ProjectionTower]:
    """Return one untrained projection per modality.

    Raises:
        DataError: If there are not exactly two modalities.
    """
    check_two(problem)
    return {m: ProjectionTower(problem.dims[m], components) for m in problem.modalities}


def check_two(problem: Problem) -> None:
    """Check that there are two modalities, as canonical correlation takes no others.

    Raises:
        DataError: If there are not exactly two.
    """
    if len(problem.dims) != 2:
        raise DataError(
            "canonical correlation takes exactly two modalities, got "
            f"{', '.join(problem.modalities) or 'none'}"
        )


def standardize(
    towers: Towers, train: TrainingData, *, divide: bool, context: FitContext
) -> Mapping[Modality, StandardizedRows]:
    """Fit each tower's standardiser and return the features as its graph sees them."""

    def fit() -> Mapping[Modality, StandardizedRows]:
        fitted = {}
        for modality in train.modalities:
            features = train.features[modality]
            standardizer = Standardizer(features.shape[1])
            standardizer.fit(features, divide=divide)
            fitted[modality] = StandardizedRows(features, standardizer)
        return fitted

    fitted = context.remember(("standardized", divide), fit)
    for modality, rows in fitted.items():
        own = cast(ProjectionTower, towers[modality]).standardize
        own.load_state_dict(rows.standardizer.state_dict())
    return fitted


def project(
    towers: Towers,
    moments: Moments,
    *,
    ridge: float,
    components: int,
    scale: str,
    context: FitContext,
) -> Solution:
    """Solve and load the first components into the towers.

    Args:
        towers: Two projections, left modality first.
        moments: Of the two modalities' standardised features.
        ridge: Relative to the mean variance.
        components: How many directions to keep.
        scale: ``rho`` multiplies each component by its correlation.
        context: Solutions of the same moments and ridge are shared through it.
    """
    solution = context.remember(
        ("solution", id(moments), ridge), lambda: solve(moments, ridge)
    )
    factor = solution.correlations[:components] if scale == "rho" else 1.0
    offsets = (moments.left_mean, moments.right_mean)
    weights = (solution.left, solution.right)
    for tower, offset, weight in zip(towers.values(), offsets, weights, strict=True):
        projection = cast(ProjectionTower, tower)
        projection.set_projection(offset, weight[:, :components] * factor)
    return solution
