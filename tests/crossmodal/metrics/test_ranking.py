from __future__ import annotations

import numpy as np
import pytest

from crossmodal.metrics.ranking import Ranked, score_keys

NONE = np.array([-1])


def ranked(scores: list[list[float]], own_row: list[int] | None = None) -> Ranked:
    matrix = np.array(scores)
    own = np.full(len(matrix), -1) if own_row is None else np.array(own_row)
    keys = score_keys(matrix, own)
    keys.sort(axis=1)
    return Ranked(keys, matrix.shape[1] - (own >= 0))


def test_rows_come_best_first_through_zero_and_below() -> None:
    ranking = ranked([[0.25, -1.0, 0.0, 1.0, -0.25, -1e-9, 1e-9]])
    assert ranking.rows().tolist() == [[3, 0, 6, 2, 5, 4, 1]]


def test_scores_come_back_rounded_to_nine_decimals() -> None:
    ranking = ranked([[0.1234567894, -0.1234567896]])
    assert ranking.scores().tolist() == [[0.123456789, -0.123456790]]


def test_scores_at_the_ends_of_the_unit_tolerance_keep_their_order() -> None:
    ranking = ranked([[-1.002, 1.002, 1.0019, -1.0019]])
    assert ranking.rows().tolist() == [[1, 2, 3, 0]]


def test_the_own_row_stands_last_and_is_not_counted() -> None:
    ranking = ranked([[0.9, 1.0, -1.0], [0.5, 0.2, 0.3]], own_row=[1, -1])
    assert ranking.rows().tolist() == [[0, 2, 1], [0, 2, 1]]
    assert ranking.size.tolist() == [2, 3]


def test_scores_that_differ_in_the_tenth_decimal_tie() -> None:
    scores = [[0.5, 0.5 + 2e-10, 0.1, 0.5 + 2e-9]]
    ranking = ranked(scores)
    keys = score_keys(np.array(scores), NONE)[0]
    above, size = ranking.place(np.zeros(4, dtype=np.int64), keys)
    assert above.tolist() == [1, 1, 3, 0]
    assert size.tolist() == [2, 2, 1, 1]


def test_places_agree_with_counting() -> None:
    rng = np.random.default_rng(0)
    scores = rng.integers(-4, 5, (6, 37)) / 8
    unsorted = score_keys(scores, np.full(6, -1))
    ranking = ranked(scores.tolist())
    query, row = np.repeat(np.arange(6), 37), np.tile(np.arange(37), 6)
    above, size = ranking.place(query, unsorted[query, row])
    for q, r, over, tied in zip(query, row, above, size, strict=True):
        assert over == np.sum(scores[q] > scores[q, r])
        assert tied == np.sum(scores[q] == scores[q, r])


def test_top_gives_each_item_its_chance_of_standing_in_the_first_places() -> None:
    ranking = ranked([[0.9, 0.5, 0.5, 0.5, 0.1], [0.5, 0.4, 0.3, 0.2, 0.1]])
    query, index, weight = ranking.top(np.array([2, 2]))
    found = np.zeros((2, 5))
    np.add.at(found, (query, ranking.rows().ravel()[index]), weight)
    assert found[0] == pytest.approx([1, 1 / 3, 1 / 3, 1 / 3, 0])
    assert found[1].tolist() == [1, 1, 0, 0, 0]


def test_top_of_everything_and_of_nothing() -> None:
    ranking = ranked([[0.5, 0.5, 0.5], [0.5, 0.5, 0.5]])
    query, index, weight = ranking.top(np.array([3, 0]))
    assert query.tolist() == [0, 0, 0]
    assert index.tolist() == [0, 1, 2]
    assert weight.tolist() == [1, 1, 1]


def test_keys_leave_the_scores_untouched() -> None:
    scores = np.array([[0.25, 0.5]])
    score_keys(scores, np.array([0]))
    assert scores.tolist() == [[0.25, 0.5]]
