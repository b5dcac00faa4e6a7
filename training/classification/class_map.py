"""Class maps: linear scores of classes, and the coordinates such maps are fitted in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

Features = Float64[np.ndarray, "items dim"]
Scores = Float64[np.ndarray, "items classes"]
Labels = Int64[np.ndarray, "items"]
Groups = Int64[np.ndarray, "items"]


@dataclass(frozen=True, slots=True)
class ClassMap:
    """Class scores ``features @ weight + offset`` and what left-out items scored.

    Attributes:
        weight: Of the features.
        offset: Of the classes.
        left_out: Scores of the items judged, each by a fit without its group or fold.
        penalty: The penalty chosen, a multiple of the mean squared singular value of the
            items judged.
        loss: Negative log-likelihood of the left-out scores.
    """

    weight: Float64[np.ndarray, "dim classes"]
    offset: Float64[np.ndarray, "classes"]
    left_out: Scores
    penalty: float
    loss: float

    def scores(self, features: Features) -> Scores:
        """Return class scores."""
        scores: np.ndarray = features @ self.weight + self.offset
        return scores


@dataclass(frozen=True, slots=True)
class Rotated:
    r"""Centred features in the coordinates of their own covariance.

    With centred features $F$, $F^TF = U\,\mathrm{diag}(w)\,U^T$.

    Attributes:
        mean: Of the features.
        vectors: U.
        values: w, ascending, none negative.
        rows: FU.
    """

    mean: Float64[np.ndarray, "dim"]
    vectors: Float64[np.ndarray, "dim dim"]
    values: Float64[np.ndarray, "dim"]
    rows: Features

    @classmethod
    def of(cls, features: Features) -> Rotated:
        """Decompose the features' covariance."""
        mean = features.mean(axis=0)
        centred = features - mean
        values, vectors = np.linalg.eigh(centred.T @ centred)
        return cls(mean, vectors, values.clip(min=0), centred @ vectors)
