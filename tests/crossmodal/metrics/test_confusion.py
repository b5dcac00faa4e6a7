from __future__ import annotations

import numpy as np
import pytest

from crossmodal.metrics.confusion import confuse, normalize_rows
from crossmodal.metrics.ranking import Ranked, rank


def ranked(scores: list[list[float]]) -> Ranked:
    return rank(np.array(scores), np.full(len(scores), -1))


def test_shares_of_the_first_r_and_of_the_first_by_hand() -> None:
    found = np.array([[0, 1, 0, 1], [0, 0, 1, 1]])  # class at each rank
    ranking = ranked([[0.9, 0.8, 0.7, 0.6]] * 2)
    confusion = confuse(ranking, np.array([2, 2]), np.array([0, 1]), found, 2)
    assert confusion.top_r.tolist() == [[1 / 2, 1 / 2], [1, 0]]
    assert confusion.top_1.tolist() == [[1, 0], [1, 0]]


def test_a_tie_across_the_cut_shares_what_is_left() -> None:
    found = np.array([[0, 1, 0, 2]])
    ranking = ranked([[0.9, 0.5, 0.5, 0.5]])
    confusion = confuse(ranking, np.array([2]), np.array([0]), found, 3)
    assert confusion.top_r[0] == pytest.approx([(1 + 1 / 3) / 2, 1 / 6, 1 / 6])


def test_items_without_a_class_and_queries_without_an_answer_are_left_out() -> None:
    found = np.array([[-2, 0], [0, 0]])
    ranking = ranked([[0.9, 0.5]] * 2)
    confusion = confuse(ranking, np.array([2, 0]), np.array([0, -1]), found, 1)
    assert confusion.top_r.tolist() == [[1 / 2]]
    assert confusion.top_1.tolist() == [[0]]


def test_sums_of_two_blocks_are_those_of_both() -> None:
    found = np.array([[0, 1], [1, 0], [1, 1]])
    relevant, wanted = np.array([1, 2, 1]), np.array([0, 1, 0])
    scores = [[0.9, 0.5]] * 3
    whole = confuse(ranked(scores), relevant, wanted, found, 2)
    parts = confuse(ranked(scores[:2]), relevant[:2], wanted[:2], found[:2], 2).plus(
        confuse(ranked(scores[2:]), relevant[2:], wanted[2:], found[2:], 2)
    )
    assert parts.top_r.tolist() == whole.top_r.tolist()
    assert parts.top_1.tolist() == whole.top_1.tolist()


def test_rows_are_normalized_and_an_empty_one_stays_empty() -> None:
    assert normalize_rows(np.array([[1.0, 3.0], [0.0, 0.0]])).tolist() == [
        [0.25, 0.75],
        [0, 0],
    ]
