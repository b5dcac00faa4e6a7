from __future__ import annotations

import numpy as np
import pytest

from crossmodal.metrics.ranking import Ranked, rank, score_keys


def ranked(scores: list[list[float]], own_row: list[int] | None = None) -> Ranked:
    matrix = np.array(scores)
    own = np.full(len(matrix), -1) if own_row is None else np.array(own_row)
    return rank(matrix, own)


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
    scores = [0.5, 0.5 + 2e-10, 0.1, 0.5 + 2e-9]
    ranking = ranked([scores])
    keys = score_keys(np.array(scores), np.arange(4))
    above, size = ranking.place(np.zeros(4, dtype=np.int64), keys)
    assert ranking.tied(slice(None)).tolist() == [[False, True, False]]
    assert above.tolist() == [1, 1, 3, 0]
    assert size.tolist() == [2, 2, 1, 1]


def test_places_agree_with_counting() -> None:
    rng = np.random.default_rng(0)
    scores = rng.integers(-4, 5, (6, 37)) / 8
    ranking = ranked(scores.tolist())
    query, row = np.repeat(np.arange(6), 37), np.tile(np.arange(37), 6)
    above, size = ranking.place(query, score_keys(scores[query, row], row))
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
    rank(scores, np.array([0]))
    assert scores.tolist() == [[0.25, 0.5]]


def test_codes_are_looked_up_by_the_row_at_each_rank() -> None:
    ranking = ranked([[0.1, 0.3, 0.2], [0.3, 0.2, 0.1]])
    found = ranking.look_up(np.array([7, 8, 9], dtype=np.int32))
    assert found.tolist() == [[8, 9, 7], [7, 8, 9]]


def test_only_ties_of_relevant_and_other_items_are_mixed() -> None:
    ranking = ranked([[0.9, 0.5, 0.5, 0.1]] * 3 + [[0.9, 0.5, -0.5, -0.9]])
    relevant = np.array([[1, 1, 1, 0], [0, 1, 0, 1], [1, 0, 0, 1], [1, 0, 1, 0]])
    assert ranking.mixed(relevant.astype(np.bool_)).tolist() == [False, True, False, False]


def test_passes_of_any_size_rank_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    scores = np.random.default_rng(0).integers(-9, 10, (7, 20)) / 16
    own = np.array([-1, 3, 0, -1, 19, 5, -1])
    expected = rank(scores, own)
    monkeypatch.setattr("crossmodal.metrics.ranking.CACHED_KEYS", 45)
    again = rank(scores, own)
    assert again.keys.tolist() == expected.keys.tolist()
    codes = np.arange(20, dtype=np.int32) % 3
    assert again.look_up(codes).tolist() == codes[expected.rows()].tolist()


def test_keys_round_as_rint_does() -> None:
    rng = np.random.default_rng(0)
    halves = np.arange(-5, 6) * 0.5e-9
    bounds = [1, -1, 0.0, -0.0, 1.0000019, -1.0000019]
    scores = np.concatenate([rng.uniform(-1, 1, 20_000), halves, bounds])
    rows = np.arange(len(scores))
    steps = np.rint(scores * -(10**9)).astype(np.int64)
    np.testing.assert_array_equal(score_keys(scores, rows), (steps << 32) + rows)
