from __future__ import annotations

import numpy as np
import pytest

from crossmodal.metrics import expectations
from crossmodal.metrics.grouping import group_marked, group_placed, take_out
from crossmodal.metrics.ranking import Ranked, rank, score_keys
from crossmodal.metrics.ties import TieGroups, group_ranking

QUERIES, ROWS = 12, 40


@pytest.fixture(params=[3, 20, 100_000])
def scores(request: pytest.FixtureRequest) -> np.ndarray:
    """Scores with heavy, some and hardly any ties, of both signs."""
    rng = np.random.default_rng(request.param)
    return rng.integers(-request.param, request.param + 1, (QUERIES, ROWS)) / 2e5


@pytest.fixture
def relevant() -> np.ndarray:
    mask = np.random.default_rng(1).random((QUERIES, ROWS)) < 0.3
    mask[4] = False
    mask[5] = True
    return mask


def slowly(scores: np.ndarray, relevant: np.ndarray) -> list[float]:
    values = []
    for row, mask in zip(scores, relevant, strict=True):
        order = np.argsort(-row, kind="stable")
        groups = group_ranking(mask[order], np.unique(-row, return_inverse=True)[1][order])
        values.append(float(expectations.average_precision(groups)[0]))
    return values


def ranked(scores: np.ndarray, marks: np.ndarray | bool = False) -> Ranked:
    return rank(score_keys(scores) | np.int32(marks))


def placed(scores: np.ndarray, relevant: np.ndarray) -> TieGroups:
    query, row = np.nonzero(relevant)
    above, size = ranked(scores).place(query, row)
    shuffled = np.random.default_rng(0).permutation(len(query))
    return group_placed(query[shuffled], above[shuffled], size[shuffled], QUERIES)


def test_marks_and_a_list_of_places_give_what_one_ranking_at_a_time_gives(
    scores: np.ndarray, relevant: np.ndarray
) -> None:
    expected = slowly(scores, relevant)
    for groups in (group_marked(ranked(scores, relevant)), placed(scores, relevant)):
        assert groups.total.tolist() == relevant.sum(axis=1).tolist()
        values = expectations.average_precision(groups)
        assert values == pytest.approx(expected, abs=1e-12, nan_ok=True)


def test_taking_items_out_is_ranking_without_them(
    scores: np.ndarray, relevant: np.ndarray
) -> None:
    rng = np.random.default_rng(2)
    gone = rng.random((QUERIES, ROWS)) < 0.1
    gone[0] = False
    query, row = np.nonzero(gone)
    ranking = ranked(scores)
    above, _ = ranking.place(query, row)
    left = take_out(placed(scores, relevant), query, above, relevant[query, row])
    expected = [
        slowly(row_scores[None, ~out], mask[None, ~out])[0]
        for row_scores, mask, out in zip(scores, relevant, gone, strict=True)
    ]
    assert left.total.tolist() == (relevant & ~gone).sum(axis=1).tolist()
    assert expectations.average_precision(left) == pytest.approx(
        expected, abs=1e-12, nan_ok=True
    )


def test_taking_out_leaves_the_groups_it_was_given_untouched() -> None:
    groups = group_ranking(np.array([True, False, True]))
    one = np.array([0])
    groups.without(one, one, np.array([True]))
    assert groups.above.tolist() == [0, 2]
    assert groups.total.tolist() == [2]


def test_only_a_tie_with_other_items_becomes_a_group() -> None:
    scores = np.array([[0.9, 0.9, 0.5, 0.5, 0.5, 0.5, 0.1], [0.3] * 7])
    relevant = np.array([[1, 1, 0, 1, 1, 0, 1], [0, 0, 0, 1, 0, 0, 0]], dtype=np.bool_)
    groups = group_marked(ranked(scores, relevant))
    assert groups.ranking.tolist() == [0, 0, 0, 0, 1]
    assert groups.above.tolist() == [0, 1, 2, 6, 0]
    assert groups.size.tolist() == [1, 1, 4, 1, 7]
    assert groups.relevant.tolist() == [1, 1, 2, 1, 1]
    assert groups.before.tolist() == [0, 1, 2, 4, 0]
    assert groups.total.tolist() == [5, 1]


def test_a_relevant_item_that_leads_does_not_tie_with_the_ranking_before() -> None:
    scores = np.array(
        [[0.5, 0.1], [0.1, 0.05]]
    )  # the one's last score is the other's first
    relevant = np.array([[1, 0], [1, 0]], dtype=np.bool_)
    assert group_marked(ranked(scores, relevant)).size.tolist() == [1, 1]
