"""The headline figures against the whole card."""

import numpy as np
import pytest

from crossmodal.embeddings import normalize
from crossmodal.metrics import measure
from crossmodal.metrics.card import Judged, evaluate_direction
from crossmodal.metrics.headline import (
    average_precision_by_class,
    reciprocal_rank_of_own_pair,
)
from crossmodal.modality import parse_direction

A2V = parse_direction("audio2visual")


def side(seed: int, rows: int, *, codes: bool) -> Judged:
    """Labels and pairs with holes; sign codes tie often."""
    rng = np.random.default_rng(seed)
    points = rng.standard_normal((rows, 5)).astype(np.float32)
    unit = np.sign(points) / np.float32(np.sqrt(5)) if codes else normalize(points)
    labels = [None if n % 11 == 0 else f"class{n % 4}" for n in range(rows)]
    pairs = [None if n % 5 == 0 else f"clip{n % 40}" for n in range(rows)]
    order = rng.permutation(rows)
    return Judged(
        [f"item{n}" for n in order],
        unit.astype(np.float32),
        [labels[n] for n in order],
        [pairs[n] for n in order],
    )


@pytest.mark.parametrize("codes", [False, True])
@pytest.mark.parametrize("block", [1 << 20, 100])
def test_headlines_are_those_of_the_card(
    codes: bool, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure, "BLOCK_SCORES", block)
    monkeypatch.setattr(measure, "PIECE_SCORES", 8 * block)
    monkeypatch.setattr(measure, "FEWEST_MULTIPLIED", 1)
    query, gallery = side(0, 63, codes=codes), side(1, 50, codes=codes)
    report = evaluate_direction(A2V, query, gallery)
    by_class = average_precision_by_class(A2V, query, gallery)
    np.testing.assert_array_equal(by_class, report.average_precision)
    by_pair = reciprocal_rank_of_own_pair(A2V, query, gallery)
    np.testing.assert_array_equal(by_pair, report.values.ranks.reciprocal)
    assert 0 < np.isnan(by_class).sum() < len(query)
    assert 0 < np.isnan(by_pair).sum() < len(query)
