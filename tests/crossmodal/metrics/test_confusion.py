from __future__ import annotations

import numpy as np
import pytest

from crossmodal.metrics.confusion import confuse, normalize_rows
from crossmodal.metrics.ranking import Ranked, rank, score_keys


def ranked(scores: list[list[float]]) -> Ranked:
    return rank(score_keys(np.array(scores)))


def test_shares_of_the_first_r_and_of_the_first_by_hand() -> None:
    there = np.array([0, 1, 0, 1])  # class of each gallery row
    ranking = ranked([[0.9, 0.8, 0.7, 0.6], [0.8, 0.7, 0.9, 0.6]])
    confusion = confuse(ranking, np.array([2, 2]), np.array([0, 1]), there, 2)
    assert confusion.top_r.tolist() == [[1 / 2, 1 / 2], [1, 0]]
    assert confusion.top_1.tolist() == [[1, 0], [1, 0]]


def test_a_tie_across_the_cut_shares_what_is_left() -> None:
    there = np.array([0, 1, 0, 2])
    ranking = ranked([[0.9, 0.5, 0.5, 0.5]])
    confusion = confuse(ranking, np.array([2]), np.array([0]), there, 3)
    assert confusion.top_r[0] == pytest.approx([(1 + 1 / 3) / 2, 1 / 6, 1 / 6])


def test_items_without_a_class_and_queries_without_an_answer_are_left_out() -> None:
    there = np.array([-2, 0])
    ranking = ranked([[0.9, 0.5]] * 2)
    confusion = confuse(ranking, np.array([2, 0]), np.array([0, -1]), there, 1)
    assert confusion.top_r.tolist() == [[1 / 2]]
    assert confusion.top_1.tolist() == [[0]]


def test_queries_of_one_class_in_any_order_add_up() -> None:
    rng = np.random.default_rng(0)
    scores = rng.permuted(np.tile(np.arange(30) / 30, (9, 1)), axis=1)
    wanted, there = rng.integers(0, 3, 9), rng.integers(0, 3, 30)
    relevant = rng.integers(1, 20, 9)
    expected = np.zeros((3, 3))
    for row, depth, label in zip(scores, relevant, wanted, strict=True):
        for place in np.argsort(-row)[:depth]:
            expected[label, there[place]] += 1 / depth
    confusion = confuse(ranked(scores.tolist()), relevant, wanted, there, 3)
    assert confusion.top_r == pytest.approx(expected)


def test_sums_of_two_blocks_are_those_of_both() -> None:
    there = np.array([0, 1])
    relevant, wanted = np.array([1, 2, 1]), np.array([0, 1, 0])
    scores = [[0.9, 0.5], [0.5, 0.9], [0.3, 0.5]]
    whole = confuse(ranked(scores), relevant, wanted, there, 2)
    parts = confuse(ranked(scores[:2]), relevant[:2], wanted[:2], there, 2).plus(
        confuse(ranked(scores[2:]), relevant[2:], wanted[2:], there, 2)
    )
    assert parts.top_r.tolist() == whole.top_r.tolist()
    assert parts.top_1.tolist() == whole.top_1.tolist()


def test_rows_are_normalized_and_an_empty_one_stays_empty() -> None:
    assert normalize_rows(np.array([[1.0, 3.0], [0.0, 0.0]])).tolist() == [
        [0.25, 0.75],
        [0, 0],
    ]
