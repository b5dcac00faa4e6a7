r"""Logistic regression onto classes, with every item's scores as if it had been left out.

The penalised likelihood is climbed by steps that a bound on its curvature allows: with
features rotated so that $F^TF$ is diagonal, $v$, the curvature in coordinate $i$ never
exceeds $v_i/2$, also for any part of the rows. One decomposition therefore serves every
penalty and every fold, and a step costs two products with the features. Steps carry
momentum, which is dropped whenever it points down.

Source:
    Böhning 1992, Multinomial logistic regression algorithm (the bound); Nesterov 1983
    and O'Donoghue and Candès 2015, Adaptive restart for accelerated gradient schemes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64
from scipy.special import log_softmax, softmax

from training.classification.class_map import ClassMap, Groups, Labels, Rotated, Scores

Rows = Float32[np.ndarray, "items rank"]

PENALTIES = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001)
FOLDS = 5
STEPS = 25  # per fold and penalty, each from where the larger penalty arrived
LAST_STEPS = 75
WORSE = 2  # so many penalties in a row without gain end the search
RANK = 1e-9  # smaller eigenvalues, relative to the largest, are rounding error
RAREST = 1e-6


@dataclass(frozen=True, slots=True)
class _Maps:
    weight: Float32[np.ndarray, "rank fits classes"]
    offset: Float32[np.ndarray, "fits classes"]

    def scores(self, rows: Rows) -> Float32[np.ndarray, "items fits classes"]:
        scores = rows @ self.weight.reshape(len(self.weight), -1)
        found: np.ndarray = scores.reshape(len(rows), *self.offset.shape) + self.offset
        return found


@dataclass(frozen=True, slots=True)
class _Curved:
    """Rotated features but for the coordinates that are rounding error."""

    vectors: Float64[np.ndarray, "dim rank"]
    values: Float64[np.ndarray, "rank"]
    rows: Rows

    @classmethod
    def of(cls, rotated: Rotated) -> _Curved:
        kept = rotated.values > RANK * rotated.values[-1]
        rows = rotated.rows[:, kept].astype(np.float32)
        return cls(rotated.vectors[:, kept], rotated.values[kept], rows)

    def start(self, truth: Scores, fits: int) -> _Maps:
        weight = np.zeros((len(self.values), fits, truth.shape[1]), dtype=np.float32)
        offset = np.log(truth.mean(axis=0).clip(min=RAREST)).astype(np.float32)
        return _Maps(weight, np.tile(offset, (fits, 1)))


def fit_class_logistic(
    features: Rotated,
    labels: Labels,
    groups: Groups,
    classes: int,
    *,
    penalties: Sequence[float] = PENALTIES,
    judged: Int64[np.ndarray, "judged"] | None = None,
) -> ClassMap:
    """Fit every item with the penalty whose left-out scores predict the classes best.

    Args:
        features: Of the training items, rotated.
        labels: Their classes.
        groups: Items of one group are left out together.
        classes: How many classes there are, present or not.
        penalties: To choose from, largest first.
        judged: The items that are left out in turn to choose it; all if None. A penalty
            says what weights are expected before any item is seen, so it suits more.

    Raises:
        ValueError: If there are no penalties, or no two groups.
    """
    truth = np.eye(classes)[labels]
    whole = _Curved.of(features)
    asked = np.arange(len(labels)) if judged is None else judged
    part = whole
    if len(asked) < len(labels):
        part = _Curved.of(Rotated.of(features.rows[asked]))
    folds = deal(groups[asked], labels[asked])
    unit = float(part.values.mean()) if part.values.size else 1.0
    fits = np.arange(folds.max() + 1)
    maps = part.start(truth, len(fits))
    best: tuple[float, float, Scores] | None = None
    worse = 0
    for penalty in penalties:
        maps = _climb(
            part.rows,
            truth[asked],
            folds[:, None] != fits,
            part.values,
            penalty * unit,
            maps,
            STEPS,
        )
        left_out = maps.scores(part.rows)[np.arange(len(asked)), folds].astype(np.float64)
        found = log_softmax(left_out, axis=1)[np.arange(len(asked)), labels[asked]]
        loss = -float(found.mean())
        if best is None or loss < best[0]:
            best, worse = (loss, penalty, left_out), 0
        else:
            worse += 1
            if worse == WORSE:
                break
    if best is None:
        raise ValueError("no penalties to choose from")
    loss, penalty, left_out = best
    last = _climb(
        whole.rows,
        truth,
        np.ones((len(labels), 1), dtype=bool),
        whole.values,
        penalty * unit,
        whole.start(truth, 1),
        LAST_STEPS,
    )
    weight = whole.vectors @ last.weight[:, 0]
    offset = last.offset[0] - features.mean @ weight
    return ClassMap(weight, offset, left_out, penalty, loss)


def deal(groups: Groups, labels: Labels, folds: int = FOLDS) -> Int64[np.ndarray, "items"]:
    """Return a fold per item: groups stay whole, classes and sizes about even.

    The largest group first, a group goes where its classes are rarest. The assignment
    depends on groups and labels alone.

    Raises:
        ValueError: If there are fewer than two groups.
    """
    names, position, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    if len(names) < 2:
        raise ValueError("items of one group alone cannot be left out in turn")
    held = np.zeros((min(folds, len(names)), labels.max() + 1))
    of_group = np.zeros((len(names), labels.max() + 1))
    np.add.at(of_group, (position, labels), 1)
    fold_of = np.empty(len(names), dtype=np.int64)
    for group in np.argsort(-sizes, kind="stable"):
        alike = held @ of_group[group]
        fold = np.lexsort((held.sum(axis=1), alike))[0]
        fold_of[group] = fold
        held[fold] += of_group[group]
    return fold_of[position]


def _climb(
    rows: Rows,
    truth: Scores,
    kept: Bool[np.ndarray, "items fits"],
    bound: Float64[np.ndarray, "rank"],
    penalty: float,
    start: _Maps,
    steps: int,
) -> _Maps:
    """Climb with several fits at once, each on rows of its own.

    In float32, whose products take half the time; steps do not add up their errors.
    """
    stride = (1 / (bound / 2 + penalty))[:, None, None].astype(np.float32)
    shrink = np.float32(penalty)
    offset_stride = (2 / kept.sum(axis=0))[:, None].astype(np.float32)
    target, mask = truth.astype(np.float32)[:, None], kept[:, :, None]
    weight = ahead = start.weight
    offset = offset_ahead = start.offset
    momentum = np.ones(len(offset))
    for _ in range(steps):
        scores = (rows @ ahead.reshape(len(ahead), -1)).reshape(len(rows), *offset.shape)
        missing = (target - softmax(scores + offset_ahead, axis=2)) * mask
        gradient = (rows.T @ missing.reshape(len(rows), -1)).reshape(ahead.shape)
        new = ahead + stride * (gradient - shrink * ahead)
        new_offset = offset_ahead + offset_stride * missing.sum(axis=0)
        step = new - weight
        downhill = np.einsum("dfc,dfc->f", ahead - new, step) > 0
        momentum[downhill] = 1.0
        grown = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        carried = ((momentum - 1) / grown)[:, None].astype(np.float32)
        ahead = new + carried * step
        offset_ahead = new_offset + carried * (new_offset - offset)
        weight, offset, momentum = new, new_offset, grown
    return _Maps(weight, offset)
