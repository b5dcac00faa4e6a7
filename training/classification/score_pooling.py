"""Pooling: several classifiers' scores into one posterior, by weights and class offsets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64
from scipy.optimize import minimize
from scipy.special import log_softmax

Scores = Float64[np.ndarray, "items classes"]

HEAVIEST = 200.0
WIDEST_OFFSET = 5.0


@dataclass(frozen=True, slots=True)
class Pooling:
    """The posterior is the softmax of ``sum_h weight_h scores_h + offset``."""

    weights: Float64[np.ndarray, "heads"]
    offset: Float64[np.ndarray, "classes"]
    loss: float


def fit_pooling(
    scores: Sequence[Scores], labels: Int64[np.ndarray, "items"], *, penalty: float = 1e-3
) -> Pooling:
    """Return the weights, none negative, that make the posterior most likely.

    Args:
        scores: Of each classifier for the same items, which it should not have seen.
        labels: Their classes.
        penalty: On the squared offsets.

    Source:
        Wolpert 1992, Stacked generalization; Breiman 1996, Stacked regressions (weights
        that are not negative).
    """
    stacked = np.stack(scores)
    heads, items, classes = stacked.shape
    truth = np.eye(classes)[labels]

    def loss_and_gradient(values: np.ndarray) -> tuple[float, np.ndarray]:
        weights, offset = values[:heads], values[heads:]
        log_posterior = log_softmax(np.tensordot(weights, stacked, 1) + offset, axis=1)
        excess = (np.exp(log_posterior) - truth) / items
        loss = -float(np.mean(log_posterior[np.arange(items), labels]))
        gradient = np.concatenate(
            [
                np.tensordot(stacked, excess, ([1, 2], [0, 1])),
                excess.sum(axis=0) + 2 * penalty * offset,
            ]
        )
        return loss + penalty * float(offset @ offset), gradient

    found = minimize(
        loss_and_gradient,
        np.concatenate([np.full(heads, 4.0 / heads), np.zeros(classes)]),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0, HEAVIEST)] * heads + [(-WIDEST_OFFSET, WIDEST_OFFSET)] * classes,
    )
    return Pooling(found.x[:heads], found.x[heads:], float(found.fun))
