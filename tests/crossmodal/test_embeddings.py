import numpy as np
import pytest

from crossmodal.embeddings import check_unit, normalize, norms
from crossmodal.errors import ShapeError


def test_normalized_rows_have_unit_norm_and_keep_their_direction() -> None:
    vectors = np.array([[3.0, 4.0], [0.0, -2.0]], dtype=np.float32)
    unit = normalize(vectors)
    np.testing.assert_allclose(unit, [[0.6, 0.8], [0.0, -1.0]], atol=1e-7)
    assert unit.dtype == np.float32
    assert vectors[0, 0] == 3.0


def test_norms_are_exact_where_float32_would_overflow_or_vanish() -> None:
    small = np.full((1, 4), 1e-5, dtype=np.float32)
    np.testing.assert_allclose(norms(small), [2e-5], rtol=1e-6)


@pytest.mark.parametrize("value", [0.0, 1e-30, 3e38, np.inf, np.nan])
def test_unusable_row_is_named(value: float) -> None:
    vectors = np.ones((3, 4), dtype=np.float32)
    vectors[1] = value
    with pytest.raises(ShapeError, match=r"rows \[1\]"):
        normalize(vectors)


def test_rows_without_unit_norm_are_refused() -> None:
    check_unit(np.eye(3, dtype=np.float32))
    with pytest.raises(ShapeError, match="expected 1"):
        check_unit(1.01 * np.eye(3, dtype=np.float32))
