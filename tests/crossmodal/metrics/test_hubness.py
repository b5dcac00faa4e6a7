from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from crossmodal.metrics.hubness import occur, share_never_retrieved, skewness
from crossmodal.metrics.ranking import REMOVED, Ranked, rank, score_keys


def ranked(scores: np.ndarray, own_row: np.ndarray | None = None) -> Ranked:
    keys = score_keys(scores)
    if own_row is not None:
        keys[np.arange(len(keys)), own_row] = REMOVED
    return rank(keys, own_row)


def test_occurrence_counts_the_queries_whose_first_ten_hold_a_row() -> None:
    scores = np.random.default_rng(0).uniform(-1, 1, (50, 30))
    expected = np.zeros(30)
    for row in scores:
        expected[np.argsort(-row)[:10]] += 1
    assert occur(ranked(scores)).tolist() == expected.tolist()


def test_rows_tied_across_the_tenth_place_share_it() -> None:
    scores = np.array([[0.9] * 9 + [0.5] * 4 + [0.1]])
    assert occur(ranked(scores)) == pytest.approx([1] * 9 + [1 / 4] * 4 + [0])


def test_a_small_gallery_is_retrieved_whole_but_for_the_query_itself() -> None:
    scores = np.random.default_rng(0).uniform(-1, 1, (4, 4))
    assert occur(ranked(scores, np.arange(4))).tolist() == [3, 3, 3, 3]


def test_skewness_is_scipys() -> None:
    occurrence = np.random.default_rng(1).poisson(3, 200).astype(np.float64)
    assert skewness(occurrence) == pytest.approx(stats.skew(occurrence), abs=1e-12)


def test_equal_occurrence_has_no_skewness() -> None:
    assert skewness(np.full(5, 0.1 + 0.2)) is None


def test_share_never_retrieved_counts_rows_at_zero() -> None:
    assert share_never_retrieved(np.array([0.0, 0.5, 3.0, 0.0])) == 1 / 2
