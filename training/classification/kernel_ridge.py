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

import numpy as np
from jaxtyping import Float64

from training.classification.class_map import (
    ClassMap,
    Features,
    Groups,
    Labels,
    Rotated,
    Scores,
)

PENALTIES = tuple(10.0 ** (exponent / 2) for exponent in range(4, -9, -1))
LEAST_FREEDOM = 0.02  # below it an item's left-out score is rounding error of its own label
SHARPEST = 100.0  # scores lie in [0, 1], so the softmax takes them times 1 to 100
SHARPNESSES = np.geomspace(1.0, SHARPEST, 16)


def fit_class_ridge(
    features: Rotated,
    labels: Labels,
    groups: Groups,
    classes: int,
    *,
    penalties: Sequence[float] = PENALTIES,
) -> ClassMap:
    """Fit with the penalty whose left-out scores predict the classes best.

    Args:
        features: Of the training items, rotated.
        labels: Their classes.
        groups: Items of one group are left out together.
        classes: How many classes there are, present or not.
        penalties: To choose from, largest first; the first is taken if under every one
            the items left out are all but determined by their own labels.
    """
    truth = np.eye(classes)[labels]
    class_mean = truth.mean(axis=0)
    values, rows = features.values, features.rows
    target = rows.T @ (truth - class_mean)
    together = _together(groups)
    unit = values.mean() or 1.0
    best: ClassMap | None = None
    for penalty in penalties:
        shrunk = 1 / (values + penalty * unit)
        residual = truth - class_mean - rows @ (shrunk[:, None] * target)
        left_out_residual = _left_out(rows, shrunk, residual, together)
        if left_out_residual is None:
            if best is not None:
                break
            left_out_residual = residual
        left_out = truth - left_out_residual
        loss = likelihood_loss(left_out, labels)
        if best is None or loss < best.loss:
            weight = features.vectors @ (shrunk[:, None] * target)
            offset = class_mean - features.mean @ weight
            best = ClassMap(weight, offset, left_out, penalty, loss)
    if best is None:
        raise ValueError("no penalties to choose from")
    return best


def likelihood_loss(scores: Scores, labels: Labels) -> float:
    """Return the least mean -log p of the true class over a range of sharpnesses."""
    of_truth = scores[np.arange(len(labels)), labels]
    highest = scores.max(axis=1)
    below = scores - highest[:, None]
    losses = []
    for sharpness in SHARPNESSES:
        logs = np.log(np.exp(sharpness * below).sum(axis=1))
        losses.append(float(np.mean(logs + sharpness * (highest - of_truth))))
    return min(losses)


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
