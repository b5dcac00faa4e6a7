from __future__ import annotations

import numpy as np
import pytest

from crossmodal.errors import DataError, ShapeError
from crossmodal.metrics.judged import Judged
from crossmodal.relevance import Relevance

UNIT = np.eye(2, dtype=np.float32)


def test_keys_are_the_column_of_their_kind_or_none() -> None:
    judged = Judged(["x", "y"], UNIT, labels=["dog", None])
    assert judged.keys(Relevance.CLASS) == ["dog", None]
    assert judged.keys(Relevance.INSTANCE) == [None, None]


def test_judgments_have_no_key() -> None:
    with pytest.raises(ValueError, match="no key for judged relevance"):
        Judged(["x", "y"], UNIT).keys(Relevance.JUDGED)


@pytest.mark.parametrize("column", ["labels", "pairs"])
def test_a_column_of_another_length_raises(column: str) -> None:
    with pytest.raises(
        DataError, match=f"one entry of {column} per embedding, got 1 for 2"
    ):
        Judged(["x", "y"], UNIT, **{column: ["only"]})


def test_too_few_ids_raise() -> None:
    with pytest.raises(DataError, match="one entry of ids per embedding, got 1 for 2"):
        Judged(["x"], UNIT)


def test_a_repeated_id_raises() -> None:
    with pytest.raises(DataError, match=r"ids must be unique.*\['x'\]"):
        Judged(["x", "x"], UNIT)


def test_a_row_that_is_not_unit_raises() -> None:
    with pytest.raises(ShapeError, match="expected 1"):
        Judged(["x", "y"], 2 * UNIT)


def test_a_row_that_is_not_a_number_raises() -> None:
    with pytest.raises(ShapeError, match=r"rows \[0, 1\] have a norm outside"):
        Judged(["x", "y"], np.full((2, 2), np.nan, dtype=np.float32))
