from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from crossmodal.metrics import curves
from crossmodal.metrics.ties import TieGroups, group_items, group_ranking


def many(*rankings: list[int]) -> TieGroups:
    """Untied rankings of one length, 1 for relevant."""
    query, above = np.nonzero(np.array(rankings))
    return group_items(
        ranking=query, above=above, size=np.ones_like(above), rankings=len(rankings)
    )


def test_depth_curves_by_hand() -> None:
    groups = many([1, 0, 1, 0], [0, 1, 0, 0])
    precision, recall = curves.precision_recall_by_depth(curves.mass_by_depth(groups, 4), 2)
    assert precision == pytest.approx(
        [1 / 2, (1 / 2 + 1 / 2) / 2, (2 / 3 + 1 / 3) / 2, 3 / 8]
    )
    assert recall == pytest.approx([1 / 4, 3 / 4, 1, 1])


def test_a_ties_mass_is_the_mean_over_its_orders() -> None:
    relevant, tie = [1, 0, 1, 0, 0], np.array([0, 1, 1, 1, 2])
    groups = group_ranking(np.array(relevant, dtype=np.bool_), tie)
    orders = [[1, *middle, 0] for middle in permutations(relevant[1:4])]
    hits, found = curves.mass_by_depth(groups, 5)
    assert hits == pytest.approx(np.mean(orders, axis=0))
    assert found == pytest.approx(np.mean(orders, axis=0) / 2)


def test_masses_of_blocks_add_up() -> None:
    one, other = [1, 0, 1, 0], [0, 1, 1, 0]
    both = curves.mass_by_depth(many(one, other), 4)
    parts = curves.mass_by_depth(many(one), 4) + curves.mass_by_depth(many(other), 4)
    assert both == pytest.approx(parts)


def slow_interpolation(ranking: list[int]) -> list[float]:
    total, levels = sum(ranking), []
    for percent in range(101):
        levels.append(
            max(
                sum(ranking[:depth]) / depth
                for depth in range(1, len(ranking) + 1)
                if sum(ranking[:depth]) * 100 >= percent * total
            )
        )
    return levels


def test_interpolated_precision_is_the_best_at_that_recall_or_beyond() -> None:
    rng = np.random.default_rng(0)
    rankings = (rng.random((30, 25)) < 0.3).astype(int).tolist()
    rankings[3] = [0] * 25
    rankings[4] = [1] * 25
    expected = np.sum([slow_interpolation(row) for row in rankings if any(row)], axis=0)
    assert curves.sum_interpolated(many(*rankings)) == pytest.approx(expected, abs=1e-10)


def test_eleven_points_by_hand() -> None:
    levels = curves.sum_interpolated(many([0, 1, 1, 0, 0, 0, 0, 0, 0, 1]))
    # Recall 1/3, 2/3, 1 at precision 1/2, 2/3, 3/10.
    assert levels[::10] == pytest.approx([2 / 3] * 7 + [3 / 10] * 4)


def test_tied_relevant_items_stand_at_their_expected_ranks() -> None:
    groups = group_ranking(
        np.array([1, 1, 0, 0], dtype=np.bool_), np.zeros(4, dtype=np.int64)
    )
    ranks = [np.flatnonzero(order) + 1 for order in permutations([1, 1, 0, 0])]
    first, second = np.mean(ranks, axis=0)
    levels = curves.sum_interpolated(groups)
    assert levels[50] == pytest.approx(max(1 / first, 2 / second))
    assert levels[51] == pytest.approx(2 / second)


def test_the_order_within_a_tie_changes_no_curve() -> None:
    tie = np.array([0, 0, 0, 1, 1, 2])
    one = group_ranking(np.array([1, 0, 0, 1, 0, 1], dtype=np.bool_), tie)
    other = group_ranking(np.array([0, 0, 1, 0, 1, 1], dtype=np.bool_), tie)
    assert curves.sum_interpolated(one).tolist() == curves.sum_interpolated(other).tolist()
    assert curves.mass_by_depth(one, 6).tolist() == curves.mass_by_depth(other, 6).tolist()


@pytest.mark.parametrize("depths", [1, 2, 37, 200, 5621])
def test_drawn_depths_rise_from_one_to_the_last(depths: int) -> None:
    drawn = curves.choose_depths(depths)
    assert drawn[0] == 1
    assert drawn[-1] == depths
    assert (np.diff(drawn) > 0).all()
    assert len(drawn) <= 200
