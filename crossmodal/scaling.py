"""Scaling: whether somebody scaled features before they reached us, and on which rows.

A scaler fitted with test rows lets the test split into training. Two scalers leave marks
that chance does not: columns that run from exactly 0 to exactly 1, and columns of mean 0
and deviation 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

MOST = 0.9  # share of the varying columns that must bear the mark
TOLERANCE = 1e-4


@dataclass(frozen=True, slots=True)
class Scaling:
    """Which scaler was used, and the rows it was fitted on."""

    scaler: str
    fitted_on: str

    @property
    def leaks(self) -> bool:
        """Whether test rows decided how features were scaled."""
        return self.fitted_on != "train"

    def __str__(self) -> str:
        return f"{self.scaler} fitted on {self.fitted_on}"


def find_scaling(
    train: Float32[np.ndarray, "train dim"], test: Float32[np.ndarray, "test dim"]
) -> Scaling | None:
    """Return what scaled the features, or None if nothing that leaves a mark did.

    Features that only happen to lie in [0, 1] are not marked; too few rows or columns to
    tell (fewer than 8 or 4) give None.
    """
    if min(len(train), len(test)) < 8 or train.shape[1] < 4:
        return None
    for scaler, fitted in (("min-max scaled", _unit_range), ("standardised", _standard)):
        on_train, on_test = fitted([train]), fitted([test])
        if on_train and on_test:
            return Scaling(scaler, "train and test, each on its own")
        if fitted([train, test]):
            return Scaling(scaler, "train and test together")
        if on_train:
            return Scaling(scaler, "train")
    return None


def _unit_range(parts: list[np.ndarray]) -> bool:
    low = np.min([part.min(axis=0) for part in parts], axis=0)
    high = np.max([part.max(axis=0) for part in parts], axis=0)
    varying = high > low
    marked = (np.abs(low) < TOLERANCE) & (np.abs(high - 1) < TOLERANCE)
    return _most(marked, varying)


def _standard(parts: list[np.ndarray]) -> bool:
    count = sum(len(part) for part in parts)
    mean = sum(part.sum(axis=0, dtype=np.float64) for part in parts) / count
    square = sum(np.einsum("ij,ij->j", p, p, dtype=np.float64) for p in parts) / count
    variance = square - mean**2
    marked = (np.abs(mean) < TOLERANCE) & (np.abs(variance - 1) < 10 * TOLERANCE)
    return _most(marked, variance > TOLERANCE)


def _most(marked: np.ndarray, varying: np.ndarray) -> bool:
    return bool(varying.any() and (marked & varying).sum() >= MOST * varying.sum())
