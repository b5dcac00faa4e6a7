"""Embeddings: unit-norm float32 rows compared by inner product."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float32

from crossmodal.errors import ShapeError

Embeddings = Float32[np.ndarray, "rows dim"]

SMALLEST_NORM, LARGEST_NORM = 1e-6, 1e6
UNIT_TOLERANCE = 1e-3


def norms(vectors: Float[np.ndarray, "rows dim"]) -> Float[np.ndarray, "rows"]:
    """Return each row's L2 norm, computed in float64.

    float32 norms overflow for 3e38 and vanish for 1e-30.

    Raises:
        ShapeError: If a norm is outside [1e-6, 1e6] or not a number.
    """
    lengths: np.ndarray = np.linalg.norm(vectors.astype(np.float64), axis=1)
    usable = (lengths >= SMALLEST_NORM) & (lengths <= LARGEST_NORM)  # False for NaN too
    if not usable.all():
        rows = np.flatnonzero(~usable)[:10].tolist()
        raise ShapeError(
            f"rows {rows} have a norm outside [{SMALLEST_NORM:g}, {LARGEST_NORM:g}]"
        )
    return lengths


def normalize(vectors: Float[np.ndarray, "rows dim"]) -> Embeddings:
    """Scale every row to unit L2 norm; the input is left untouched.

    Raises:
        ShapeError: If a norm is outside [1e-6, 1e6] or not a number.
    """
    unit: Embeddings = (vectors / norms(vectors)[:, None]).astype(np.float32)
    return unit


def check_unit(vectors: Float[np.ndarray, "rows dim"]) -> None:
    """Check that every row has unit norm, within 1e-3.

    Raises:
        ShapeError: If a row's norm differs from 1, or is not a number.
    """
    exact = vectors.astype(np.float64)
    squares = np.einsum("ij,ij->i", exact, exact)
    if (np.abs(squares - 1) <= UNIT_TOLERANCE).all():  # then their roots are
        return
    lengths = norms(vectors)
    off = np.flatnonzero(np.abs(lengths - 1) > UNIT_TOLERANCE)
    if off.size:
        raise ShapeError(
            f"rows {off[:10].tolist()} have norms {lengths[off[:10]].round(4).tolist()}, "
            "expected 1"
        )
