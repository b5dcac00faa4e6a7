"""Pooling by the mean: one row for the whole clip."""

from __future__ import annotations

import numpy as np

from crossmodal.frontends.checks import require_rows
from crossmodal.frontends.frontend import Features, Pooled


def mean_rows(features: Features, dim: int) -> Pooled:
    """Return the mean over time, summed in float64.

    Raises:
        ShapeError: If the width is not ``dim``, there is no row or a value is not finite.
    """
    rows = require_rows(features, dim)
    pooled: Pooled = rows.mean(axis=0, dtype=np.float64).astype(np.float32)
    return pooled
