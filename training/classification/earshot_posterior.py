"""Earshot posterior: regressions of several kernels and losses, pooled by likelihood."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float64, Int64

from crossmodal.errors import DataError
from crossmodal.modality import Modality
from training.classification.class_logistic import fit_class_logistic
from training.classification.class_map import Rotated
from training.classification.kernel_ridge import fit_class_ridge
from training.classification.score_pooling import fit_pooling
from training.correlation.kernel_features import KernelFeatures
from training.correlation.kernels import KernelMap, choose_landmarks, median_gamma
from training.data import UNLABELED, TrainingData
from training.towers.earshot_tower import EarshotTower

Rows = Float64[np.ndarray, "items dim"]
Labels = Int64[np.ndarray, "items"]
Chosen = Int64[np.ndarray, "chosen"]

# Shapes with widths, in units of one over the median distance.
KERNELS = (("gaussian", 0.3), ("gaussian", 1.0), ("laplacian", 1.0))
ABSENT = -1e4  # the score of a class that training did not hold


def fit_posterior(
    tower: EarshotTower,
    train: TrainingData,
    modality: Modality,
    *,
    exact: int,
    landmarks: int,
    judged: int,
    rng: np.random.Generator,
) -> None:
    """Fit the regressions of both views, pool them, and hand their sum to the tower.

    A linear map and every kernel are fitted twice, by least squares and by likelihood:
    where classes are hard to tell apart the first errs less, where they are easy the
    second is surer. Both are maps of the same kernel, so that the sum costs no more to
    run than one of them.

    Args:
        tower: Takes the maps.
        train: Features, labels and groups.
        modality: Of the tower.
        exact: Up to this many items every one is a landmark.
        landmarks: Landmarks drawn among more.
        judged: Items that choose logistic penalties and the pooling, drawn among more.
        rng: Draws them.

    Raises:
        DataError: If there are no two labeled classes, or most items are equal.
    """
    known = train.labels[modality] != UNLABELED
    labels = train.labels[modality][known]
    if len(np.unique(labels)) < 2:
        raise DataError(f"{modality}: a classifier needs two labeled classes or more")
    groups = train.group_numbers(modality)[known]
    if len(np.unique(groups)) < 2:  # one source: its items are left out one by one
        groups = np.arange(len(labels))
    features = train.features[modality][known]
    classes = len(train.classes)
    chosen = choose_landmarks(len(features), exact=exact, landmarks=landmarks, rng=rng)
    views = {view: view.fit_rows(features) for view in (tower.plain, tower.rooted)}
    kernels = {view: _kernels(rows, chosen, modality, rng) for view, rows in views.items()}
    asked = choose_judged(labels, judged, rng)
    scores, weights, offsets = [], [], []
    for view, rows in views.items():
        for seen in (rows, *(one.features(rows) for one in kernels[view])):
            rotated = Rotated.of(seen)
            squares = fit_class_ridge(rotated, labels, groups, classes)
            likelihood = fit_class_logistic(rotated, labels, groups, classes, judged=asked)
            scores += [squares.left_out[asked], likelihood.left_out]
            weights.append((squares.weight, likelihood.weight))
            offsets += [squares.offset, likelihood.offset]
    pooling = fit_pooling(scores, labels[asked])
    offset = pooling.offset + pooling.weights @ np.stack(offsets)
    offset[np.setdiff1d(np.arange(classes), labels)] = ABSENT
    tower.offset.copy_(torch.from_numpy(offset))
    shares = pooling.weights.reshape(-1, 2)
    pooled = [a * one + b * two for (a, b), (one, two) in zip(shares, weights, strict=True)]
    for view, rows in views.items():
        linear, *others = pooled[: 1 + len(KERNELS)]
        pooled = pooled[1 + len(KERNELS) :]
        on_kernels = [
            one.on_kernel(weight) for one, weight in zip(kernels[view], others, strict=True)
        ]
        gammas = [one.kernel.gamma for one in kernels[view]]
        view.set_maps(rows[chosen], gammas, linear, np.stack(on_kernels))


def choose_judged(labels: Labels, count: int, rng: np.random.Generator) -> Chosen:
    """Return so many rows in ascending order, every class by its share, none left out.

    Args:
        labels: Classes of all rows.
        count: How many rows; all if there are no more. Where there are more classes, a
            row of each.
        rng: Draws them.
    """
    if len(labels) <= count:
        return np.arange(len(labels))
    place = np.empty(len(labels))
    for number in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == number))
        place[members] = np.arange(len(members)) / len(members)
    count = max(count, int(np.sum(place == 0)))
    chosen: np.ndarray = np.sort(np.argsort(place, kind="stable")[:count])
    return chosen


def _kernels(
    rows: Rows, chosen: Chosen, modality: Modality, rng: np.random.Generator
) -> list[KernelFeatures]:
    found = []
    for shape, width in KERNELS:
        try:
            unit = median_gamma(rows, rng, shape)
        except ValueError as error:
            raise DataError(f"{modality}: {error}") from error
        kernel = KernelMap(rows[chosen], width * unit, shape)
        found.append(KernelFeatures.of(kernel))
    return found
