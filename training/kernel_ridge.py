r"""Ridge regression onto classes, with every item's scores as if it had been left out.

With centred features $F$, $F^TF = U\,\mathrm{diag}(w)\,U^T$ and the hat matrix
$H = FU(\mathrm{diag}(w)+\lambda)^{-1}U^TF^T + \frac1n$, leaving out the items $g$ changes
their residuals from $e_g$ to $(I-H_{gg})^{-1}e_g$: one decomposition serves every penalty
and every fold.

Source:
    Allen 1974, The relationship between variable selection and data augmentation and a
    method for prediction; An et al. 2007, Fast cross-validation algorithms for least
    squares support vector machine and kernel ridge regression (groups left out).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64
from scipy.special import logsumexp

Features = Float64[np.ndarray, "items dim"]
Scores = Float64[np.ndarray, "items classes"]
Labels = Int64[np.ndarray, "items"]
Groups = Int64[np.ndarray, "items"]

PENALTIES = tuple(10.0 ** (exponent / 2) for exponent in range(4, -9, -1))
LEAST_FREEDOM = 0.02  # below it an item's left-out score is rounding error of its own label
SHARPEST = 100.0  # scores lie in [0, 1], so the softmax takes them times 1 to 100
SHARPNESSES = np.geomspace(1.0, SHARPEST, 16)


@dataclass(frozen=True, slots=True)
class ClassRidge:
    """Class scores ``features @ weight + offset`` and what left-out items scored.

    Attributes:
        weight: Of the features.
        offset: Of the classes.
        left_out: Scores of every item by the fit without its group.
        penalty: The penalty chosen, a multiple of the mean squared singular value.
        loss: Negative log-likelihood of the left-out scores, as sharp as suits them.
    """

    weight: Float64[np.ndarray, "dim classes"]
    offset: Float64[np.ndarray, "classes"]
    left_out: Scores
    penalty: float
    loss: float

    def scores(self, features: Features) -> Scores:
        """Return class scores, about 1 for the class an item is taken for."""
        scores: np.ndarray = features @ self.weight + self.offset
        return scores


def fit_class_ridge(
    features: Features,
    labels: Labels,
    groups: Groups,
    classes: int,
    *,
    penalties: Sequence[float] = PENALTIES,
) -> ClassRidge:
    """Fit with the penalty whose left-out scores predict the classes best.

    Args:
        features: Of the training items.
        labels: Their classes.
        groups: Items of one group are left out together.
        classes: How many classes there are, present or not.
        penalties: To choose from, largest first; the first is taken if under every one
            the items left out are all but determined by their own labels.
    """
    truth = np.eye(classes)[labels]
    feature_mean, class_mean = features.mean(axis=0), truth.mean(axis=0)
    centred = features - feature_mean
    values, vectors = np.linalg.eigh(centred.T @ centred)
    values = values.clip(min=0)
    rotated = centred @ vectors
    target = rotated.T @ (truth - class_mean)
    together = _together(groups)
    unit = values.mean() or 1.0
    best: ClassRidge | None = None
    for penalty in penalties:
        shrunk = 1 / (values + penalty * unit)
        residual = truth - class_mean - rotated @ (shrunk[:, None] * target)
        left_out_residual = _left_out(rotated, shrunk, residual, together)
        if left_out_residual is None:
            if best is not None:
                break
            left_out_residual = residual
        left_out = truth - left_out_residual
        loss = likelihood_loss(left_out, labels)
        if best is None or loss < best.loss:
            weight = vectors @ (shrunk[:, None] * target)
            offset = class_mean - feature_mean @ weight
            best = ClassRidge(weight, offset, left_out, penalty, loss)
    if best is None:
        raise ValueError("no penalties to choose from")
    return best


def likelihood_loss(scores: Scores, labels: Labels) -> float:
    """Return the least mean -log p of the true class over a range of sharpnesses."""
    of_truth = scores[np.arange(len(labels)), labels]
    return min(
        float(np.mean(logsumexp(sharpness * scores, axis=1) - sharpness * of_truth))
        for sharpness in SHARPNESSES
    )


def _together(groups: Groups) -> list[np.ndarray]:
    """Return the rows of each group of two items or more."""
    order = np.argsort(groups, kind="stable")
    bounds = np.flatnonzero(np.diff(groups[order])) + 1
    return [rows for rows in np.split(order, bounds) if len(rows) > 1]


def _left_out(
    rotated: Features,
    shrunk: Float64[np.ndarray, "dim"],
    residual: Scores,
    together: Sequence[np.ndarray],
) -> Scores | None:
    """Return residuals of items left out; None if some are determined by their labels."""
    count = len(rotated)
    freedom = 1 - np.einsum("nd,nd,d->n", rotated, rotated, shrunk) - 1 / count
    if freedom.min() < LEAST_FREEDOM:
        return None
    left_out: np.ndarray = residual / freedom[:, None]
    for rows in together:
        hat = (rotated[rows] * shrunk) @ rotated[rows].T + 1 / count
        free = np.eye(len(rows)) - hat
        if np.linalg.eigvalsh(free)[0] < LEAST_FREEDOM:
            return None
        left_out[rows] = np.linalg.solve(free, residual[rows])
    return left_out
