import numpy as np
import pytest

from training.correlation import moments
from training.correlation.moments import ChosenRows, Rows, add_up, mean_of


def test_an_array_is_rows_and_so_are_some_of_them_in_any_order() -> None:
    array = np.arange(12.0).reshape(6, 2)
    assert isinstance(array, Rows)
    some = ChosenRows(array, np.array([4, 0, 4]))
    assert some.shape == (3, 2)
    assert len(some) == 3
    assert some[1:].tolist() == [[0.0, 1.0], [8.0, 9.0]]
    assert ChosenRows(some, np.array([2, 1]))[:].tolist() == [[8.0, 9.0], [0.0, 1.0]]


@pytest.mark.parametrize("block", [1, 4, 7, 100])
def test_blocks_of_any_size_add_up_to_the_whole(
    block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moments, "BLOCK_ROWS", block)
    rows = np.random.default_rng(0).standard_normal((23, 3)) + 5
    products, total = add_up(
        23, lambda part: (rows[part].T @ rows[part], rows[part].sum(0))
    )
    np.testing.assert_allclose(products, rows.T @ rows, rtol=1e-13)
    np.testing.assert_allclose(total, rows.sum(axis=0), rtol=1e-13)
    np.testing.assert_allclose(mean_of(rows), rows.mean(axis=0), rtol=1e-13)


def test_what_is_added_up_leaves_the_rows_untouched() -> None:
    rows = np.ones((3, 2))
    add_up(3, lambda part: (rows[part].sum(axis=0),))
    mean_of(rows)
    assert rows.tolist() == [[1.0, 1.0]] * 3
