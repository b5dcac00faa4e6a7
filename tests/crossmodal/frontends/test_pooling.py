from __future__ import annotations

import numpy as np
import pytest

from crossmodal.errors import ShapeError
from crossmodal.frontends.pooling import mean_rows


def test_mean_of_two_rows_by_hand() -> None:
    rows = np.array([[1, 2], [3, 6]], dtype=np.float32)
    pooled = mean_rows(rows, 2)
    assert pooled.dtype == np.float32
    assert pooled.tolist() == [2.0, 4.0]


def test_no_rows_have_no_mean() -> None:
    with pytest.raises(ShapeError, match="1 or more"):
        mean_rows(np.zeros((0, 2), dtype=np.float32), 2)
