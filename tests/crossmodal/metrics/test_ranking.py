from __future__ import annotations

import numpy as np
import pytest

from crossmodal.metrics.ranking import (
    REMOVED,
    Ranked,
    multiply,
    rank,
    score_keys,
)


def ranked(
    scores: list[list[float]] | np.ndarray, own_row: list[int] | None = None
) -> Ranked:
    keys = score_keys(np.array(scores))
    if own_row is None:
        return rank(keys)
    for query, row in enumerate(own_row):
        if row >= 0:
            keys[query, row] = REMOVED
    return rank(keys, np.array(own_row))


def test_rows_come_best_first_through_zero_and_below() -> None:
    ranking = ranked([[0.25, -1.0, 0.0, 1.0, -0.25, -1e-9, 1e-9]])
    assert ranking.rows().tolist() == [[3, 0, 6, 2, 5, 4, 1]]


def test_scores_come_back_rounded_to_nine_decimals() -> None:
    ranking = ranked([[0.1234567894, -0.1234567896]])
    assert ranking.scores().tolist() == [[0.123456789, -0.123456790]]


def test_scores_at_the_ends_of_the_unit_tolerance_keep_their_order() -> None:
    ranking = ranked([[-1.002, 1.002, 1.0019, -1.0019]])
    assert ranking.rows().tolist() == [[1, 2, 3, 0]]
    assert (ranking.keys < REMOVED).all()


def test_the_own_row_stands_last_and_is_not_counted() -> None:
    ranking = ranked([[0.9, 1.0, -1.0], [0.5, 0.2, 0.3]], own_row=[1, -1])
    assert ranking.rows().tolist() == [[0, 2, 1], [0, 2, 1]]
    assert ranking.size.tolist() == [2, 3]


def test_scores_that_differ_in_the_tenth_decimal_tie() -> None:
    ranking = ranked([[0.5, 0.5 + 2e-10, 0.1, 0.5 + 2e-9]])
    above, size = ranking.place(np.zeros(4, dtype=np.int64), np.arange(4))
    assert above.tolist() == [1, 1, 3, 0]
    assert size.tolist() == [2, 2, 1, 1]


@pytest.mark.parametrize("marks", [False, True])
def test_places_agree_with_counting(marks: bool) -> None:
    rng = np.random.default_rng(0)
    scores = rng.integers(-4, 5, (6, 37)) / 8
    keys = score_keys(scores)
    keys |= rng.integers(0, 2, keys.shape, dtype=np.int32) * marks
    query, row = np.repeat(np.arange(6), 37), np.tile(np.arange(37), 6)
    above, size = rank(keys).place(query, row)
    for q, r, over, tied in zip(query, row, above, size, strict=True):
        assert over == np.sum(scores[q] > scores[q, r])
        assert tied == np.sum(scores[q] == scores[q, r])


def test_marks_go_where_their_items_go() -> None:
    scores = np.random.default_rng(0).permutation(12).reshape(1, -1) / 12
    keys = score_keys(scores)
    keys[0, [3, 7, 8]] |= 1
    ranking = rank(keys)
    marked = np.isin(ranking.rows(), [3, 7, 8])
    assert ranking.marked().tolist() == marked.tolist()


def test_top_gives_each_item_its_chance_of_standing_in_the_first_places() -> None:
    keys = score_keys(
        np.array(
            [
                [0.9, 0.5, 0.5, 0.5, 0.1],
                [0.5, 0.4, 0.3, 0.2, 0.1],
                [0.2, 0.2, 0.9, 0.2, 0.2],
            ]
        )
    )
    keys[:, 1] |= 1  # a mark parts no tie
    top = rank(keys).top(np.array([2, 2, 3]))
    assert top.sum_rows(0, 1) == pytest.approx([1, 1 / 3, 1 / 3, 1 / 3, 0])
    assert top.sum_rows(1, 2).tolist() == [1, 1, 0, 0, 0]
    assert top.sum_rows(2, 3) == pytest.approx([1 / 2, 1 / 2, 1, 1 / 2, 1 / 2])
    assert top.sum_rows(0, 3) == pytest.approx(
        sum(top.sum_rows(query, query + 1) for query in range(3))
    )


def test_top_of_everything_and_of_nothing() -> None:
    top = ranked([[0.5, 0.5, 0.5], [0.5, 0.5, 0.5]]).top(np.array([3, 0]))
    assert top.sum_rows(0, 1).tolist() == [1, 1, 1]
    assert top.sum_rows(1, 2).tolist() == [0, 0, 0]


def test_top_of_all_but_the_own_row_leaves_that_out() -> None:
    ranking = ranked([[0.9, 1.0, -1.0]], own_row=[0])
    assert ranking.top(np.array([2])).sum_rows(0, 1).tolist() == [0, 1, 1]


def test_sums_of_many_queries_hold_more_than_a_byte() -> None:
    top = ranked(np.tile([[0.9, 0.1]], (700, 1))).top(np.ones(700, dtype=np.int64))
    assert top.sum_rows(0, 700).tolist() == [700, 0]
    assert top.sum_rows(100, 399).tolist() == [299, 0]


def test_keys_leave_the_scores_and_rankings_the_keys_untouched() -> None:
    scores = np.array([[0.25, 0.5]])
    keys = score_keys(scores)
    assert scores.tolist() == [[0.25, 0.5]]
    ranking = rank(keys)
    assert ranking.keys.tolist() == [[-(10**9) // 2, -(10**9)]]


@pytest.mark.parametrize("tile", [1, 45, 1 << 20])
def test_tiles_of_any_size_give_the_keys_of_the_whole_product(
    tile: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    queries, gallery = rng.integers(-4, 5, (7, 5)) / 16, rng.integers(-4, 5, (20, 5)) / 16
    monkeypatch.setattr("crossmodal.metrics.ranking.TILE_SCORES", tile)
    monkeypatch.setattr("crossmodal.metrics.ranking.FEWEST_TILE_ROWS", 1)
    expected = score_keys(queries @ gallery.T)
    np.testing.assert_array_equal(multiply(queries, gallery), expected)


def test_keys_round_half_to_even() -> None:
    rng = np.random.default_rng(0)
    halves = np.arange(-5, 6) * 0.5e-9
    bounds = [1, -1, 0.0, -0.0, 1.0000019, -1.0000019]
    scores = np.concatenate([rng.uniform(-1, 1, 20_000), halves, bounds])
    steps = [-2 * round(score * 10**9) for score in scores.tolist()]
    assert score_keys(scores).tolist() == steps
