r"""Logistic regression onto classes, with every item's scores as if it had been left out.

The penalised likelihood is climbed by steps that a bound on its curvature allows: with
features rotated so that $F^TF$ is diagonal, $v$, the curvature in coordinate $i$ never
exceeds $v_i/2$, also for any part of the rows. One decomposition therefore serves every
penalty and every fold, and a step costs two products with the features. Steps carry
momentum, which is dropped whenever it points down. Every climb begins where one before it
arrived: the folds' at the next larger penalty, the last at the mean of the folds.

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

from training.class_map import ClassMap, Groups, Labels, Rotated, Scores

Rows = Float32[np.ndarray, "items rank"]
Weight = Float64[np.ndarray, "dim classes"]
Offset = Float64[np.ndarray, "classes"]

PENALTIES = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001)
FOLDS = 5
STEPS = 25  # per fold and penalty
LAST_STEPS = 75  # at most
STILL = 2e-5  # a step that changes scores by less, in the root mean square, is the last
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

    mean: Float64[np.ndarray, "dim"]
    vectors: Float64[np.ndarray, "dim rank"]
    values: Float64[np.ndarray, "rank"]
    rows: Rows

    @classmethod
    def of(cls, rotated: Rotated) -> _Curved:
        kept = rotated.values > RANK * rotated.values[-1]
        rows = rotated.rows[:, kept].astype(np.float32)
        return cls(rotated.mean, rotated.vectors[:, kept], rotated.values[kept], rows)

    def start(self, shares: Offset, fits: int) -> _Maps:
        weight = np.zeros((len(self.values), fits, len(shares)), dtype=np.float32)
        offset = np.log(shares.clip(min=RAREST)).astype(np.float32)
        return _Maps(weight, np.tile(offset, (fits, 1)))

    @property
    def unit(self) -> float:
        """What a penalty is a multiple of."""
        return float(self.values.mean()) if self.values.size else 1.0

    def on_features(self, maps: _Maps) -> tuple[Weight, Offset]:
        """Return the mean of the maps as weight and offset of what was rotated."""
        weight = self.vectors @ maps.weight.mean(axis=1)
        return weight, maps.offset.mean(axis=0) - self.mean @ weight

    def from_features(self, weight: Weight, offset: Offset) -> _Maps:
        """Return the map of rotated features that one of the features amounts to."""
        rotated = (self.vectors.T @ weight).astype(np.float32)
        moved = (offset + self.mean @ weight).astype(np.float32)
        return _Maps(rotated[:, None], moved[None])


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
    part = whole if len(asked) == len(labels) else _Curved.of(features.part(asked))
    chosen = _choose(part, labels[asked], truth.mean(axis=0), groups[asked], penalties)
    start = part.on_features(chosen.maps)
    kept = np.ones((len(labels), 1), dtype=bool)
    last = _climb(
        whole,
        truth,
        kept,
        chosen.penalty * part.unit,
        whole.from_features(*start),
        LAST_STEPS,
        still=STILL,
    )
    weight, offset = whole.on_features(last)
    return ClassMap(weight, offset, chosen.left_out, chosen.penalty, chosen.loss)


@dataclass(frozen=True, slots=True)
class _Chosen:
    penalty: float
    loss: float
    left_out: Scores
    maps: _Maps


def _choose(
    part: _Curved,
    labels: Labels,
    shares: Offset,
    groups: Groups,
    penalties: Sequence[float],
) -> _Chosen:
    """Return the penalty whose left-out scores are the likeliest, and its folds' maps.

    Args:
        part: The items judged.
        labels: Their classes.
        shares: Of the classes among all items, which offsets start from.
        groups: Those of the items judged.
        penalties: To choose from, largest first.
    """
    items = np.arange(len(labels))
    folds = deal(groups, labels)
    fits = np.arange(folds.max() + 1)
    truth = np.eye(len(shares))[labels]
    maps = part.start(shares, len(fits))
    best: _Chosen | None = None
    worse = 0
    for penalty in penalties:
        kept = folds[:, None] != fits
        amount = penalty * part.unit
        maps = _climb(part, truth, kept, amount, maps, STEPS)
        left_out = maps.scores(part.rows)[items, folds].astype(np.float64)
        loss = -float(log_softmax(left_out, axis=1)[items, labels].mean())
        if best is None or loss < best.loss:
            best, worse = _Chosen(penalty, loss, left_out, maps), 0
        else:
            worse += 1
            if worse == WORSE:
                break
    if best is None:
        raise ValueError("no penalties to choose from")
    return best


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
    curved: _Curved,
    truth: Scores,
    kept: Bool[np.ndarray, "items fits"],
    penalty: float,
    start: _Maps,
    steps: int,
    *,
    still: float = 0.0,
) -> _Maps:
    """Climb with several fits at once, each on rows of its own.

    In float32, whose products take half the time; steps do not add up their errors.
    """
    rows = curved.rows
    stride = (1 / (curved.values / 2 + penalty))[:, None, None].astype(np.float32)
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
        moved = np.einsum("d,dfc->", curved.values, step**2) / (len(rows) * step[0].size)
        if moved < still**2:
            break
    return _Maps(weight, offset)
