"""Calibration: one temperature that makes class probabilities as sure as they are right."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from jaxtyping import Bool, Float64, Int64
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

Logits = Float64[np.ndarray, "members _ classes"]
Labels = Int64[np.ndarray, "_"]

COLDEST, HOTTEST = 0.05, 20.0


def negative_log_likelihood(logits: Logits, labels: Labels, temperature: float) -> float:
    """Return the mean of -log p of the true class, p being the members' mean.

    Args:
        logits: Of every member of an ensemble; one member is no ensemble.
        labels: The true classes.
        temperature: Divides the logits; positive.
    """
    scaled = logits / temperature
    log_p = scaled - logsumexp(scaled, axis=2, keepdims=True)
    of_truth = log_p[:, np.arange(len(labels)), labels]
    return float(-np.mean(logsumexp(of_truth, axis=0) - np.log(len(logits))))


def fit_temperature(logits: Logits, labels: Labels, *, coldest: float = COLDEST) -> float:
    """Return the temperature, from ``coldest`` to 20, of least negative log-likelihood.

    Source:
        Guo et al. 2017, On calibration of modern neural networks, arXiv:1706.04599.
    """
    best = minimize_scalar(
        lambda log_t: negative_log_likelihood(logits, labels, float(np.exp(log_t))),
        bounds=(np.log(COLDEST), np.log(HOTTEST)),
        method="bounded",
    )
    return float(np.exp(best.x))


def stratified_folds(
    labels: Labels, folds: int, rng: np.random.Generator
) -> Iterator[Bool[np.ndarray, "items"]]:
    """Yield a mask of the rows held out, fold by fold; every row is held out once."""
    fold = np.empty(len(labels), dtype=np.int64)
    dealt = 0  # classes start where the one before stopped, so that small ones spread
    for number in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == number))
        fold[rows] = (np.arange(len(rows)) + dealt) % folds
        dealt += len(rows)
    for number in range(folds):
        yield fold == number


def held_out_logits(
    fit: Callable[
        [Bool[np.ndarray, "items"]], Callable[[Bool[np.ndarray, "items"]], Logits]
    ],
    labels: Labels,
    folds: int,
    rng: np.random.Generator,
) -> tuple[Float64[np.ndarray, "members held classes"], Int64[np.ndarray, "held"]]:
    """Return logits of rows by classifiers that did not see them, and their labels.

    Args:
        fit: Fits on the rows of a mask and returns what scores the rows of another.
        labels: Labels of all rows.
        folds: How often to fit.
        rng: Deals the rows.

    Returns:
        Logits and labels of the rows whose class the other folds hold too; empty if
        there are too few rows to hold any out.
    """
    logits, truth = [], []
    for held_out in stratified_folds(labels, folds, rng):
        classes = np.unique(labels[~held_out])
        known = held_out & np.isin(labels, classes)
        if known.any() and len(classes) > 1:
            logits.append(fit(~held_out)(known))
            truth.append(labels[known])
    if not logits:
        return np.zeros((1, 0, 1)), np.zeros(0, dtype=np.int64)
    return np.concatenate(logits, axis=1), np.concatenate(truth)
