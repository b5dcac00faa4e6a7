"""Pair sets: which items count as going together when correlation is taken.

True pairs, all pairs of one class, a share of those, or a blend of both. Left and right
are the modalities in their stable order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64

from crossmodal.errors import DataError
from crossmodal.modality import Modality
from training.config import check_choice, check_range
from training.correlation.linear_cca import Moments, class_pair_moments, pair_moments
from training.correlation.moments import ChosenRows, Rows
from training.data import UNLABELED, TrainingData

MARGINALS = ("matched", "plain")


@dataclass(frozen=True, slots=True, kw_only=True)
class PairSet:
    """Which pairs count, and how much.

    Attributes:
        sigma: Share of the true pairs; the rest is the class pairs'.
        fraction: Share of each class's right items that its left items are paired with,
            one draw per class; 0 leaves the true pairs alone.
        marginals: ``matched`` weighs marginals as the cross covariance; ``plain`` takes
            those of the true pairs, as printed, where correlations may exceed 1.
        seed: Draws the fraction.
    """

    sigma: float = 0.0
    fraction: float = 1.0
    marginals: str = "matched"
    seed: int = 0

    def __post_init__(self) -> None:
        check_range("sigma", self.sigma, 0, 1)
        check_range("fraction", self.fraction, 0, 1)
        check_choice("marginals", self.marginals, MARGINALS)

    @property
    def share(self) -> float:
        """The share of the true pairs once an empty set of class pairs is left out."""
        return 1.0 if self.fraction == 0 else self.sigma

    def takes_pairs(self) -> bool:
        """Whether it asks for true pairs at all."""
        return self.share > 0 or self.marginals == "plain"

    def partners(self, labels: Int64[np.ndarray, "others"]) -> Bool[np.ndarray, "others"]:
        """Return which right items take part in class pairs: labeled, and drawn."""
        if self.fraction == 1:
            chosen: np.ndarray = labels != UNLABELED
            return chosen
        rng = np.random.default_rng(self.seed)
        chosen = np.zeros(len(labels), dtype=bool)
        for number in np.unique(labels[labels != UNLABELED]):
            members = np.flatnonzero(labels == number)
            count = int(np.ceil(self.fraction * len(members)))
            chosen[rng.permutation(members)[:count]] = True
        return chosen


def moments_of(
    rows: Mapping[Modality, Rows], train: TrainingData, pair_set: PairSet
) -> Moments:
    """Return the moments of rows over a pair set.

    Args:
        rows: One row per item of the training data.
        train: Labels, and pairs where the set takes any.
        pair_set: Which pairs count.

    Raises:
        DataError: If class pairs are asked for and no class is in both modalities.
    """
    left, right = train.modalities
    by_pair = None
    if pair_set.takes_pairs():
        pairs = train.with_drawn_pairs(pair_set.seed).pairs or {}
        by_pair = pair_moments(*(ChosenRows(rows[m], pairs[m]) for m in (left, right)))
        if pair_set.share == 1:
            return by_pair
    check_shared_class(train)
    ours = np.flatnonzero(train.labels[left] != UNLABELED)
    theirs = np.flatnonzero(pair_set.partners(train.labels[right]))
    moments = class_pair_moments(
        ChosenRows(rows[left], ours),
        ChosenRows(rows[right], theirs),
        train.labels[left][ours],
        train.labels[right][theirs],
    )
    if by_pair is None:
        return moments
    blended = moments.blend(by_pair, pair_set.share)
    return blended if pair_set.marginals == "matched" else blended.with_marginals(by_pair)


def check_shared_class(train: TrainingData) -> None:
    """Check that two modalities share a class.

    Raises:
        DataError: If they do not.
    """
    left, right = train.modalities
    shared = np.intersect1d(train.labels[left], train.labels[right])
    if not (shared != UNLABELED).any():
        raise DataError(f"class pairs need a class present in both {left} and {right}")
