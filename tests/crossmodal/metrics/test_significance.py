from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from crossmodal.metrics.significance import bootstrap_interval, paired_randomization_test


def test_p_value_approaches_that_of_every_assignment_of_signs() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.random(8), rng.random(8) - 0.15
    difference = first - second
    sums = [abs(np.dot(signs, difference)) for signs in product([-1, 1], repeat=8)]
    exact = np.mean(np.array(sums) >= abs(difference.sum()) - 1e-12)
    p = paired_randomization_test(first, second, draws=20_000, seed=1)
    assert p == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 20_000))


def test_equal_systems_have_p_one() -> None:
    values = np.linspace(0, 1, 20)
    assert paired_randomization_test(values, values) == 1


def test_a_lead_on_every_query_has_the_smallest_p_there_is() -> None:
    values = np.linspace(0, 0.5, 50)
    p = paired_randomization_test(values + 0.3, values, draws=999)
    assert p == 1 / 1000


def test_p_does_not_depend_on_which_system_comes_first() -> None:
    rng = np.random.default_rng(2)
    first, second = rng.random(30), rng.random(30)
    assert paired_randomization_test(first, second) == paired_randomization_test(
        second, first
    )


def test_queries_without_a_value_in_either_are_left_out() -> None:
    rng = np.random.default_rng(3)
    first, second = rng.random(12), rng.random(12)
    with_gaps = np.append(first, [np.nan, 1.0]), np.append(second, [0.0, np.nan])
    assert paired_randomization_test(*with_gaps) == paired_randomization_test(first, second)


def test_values_of_other_queries_raise() -> None:
    with pytest.raises(ValueError, match="values of the same queries, got 2 and 3"):
        paired_randomization_test(np.zeros(2), np.zeros(3))


def test_no_values_raise() -> None:
    with pytest.raises(ValueError, match="at least one query with a value"):
        bootstrap_interval(np.array([np.nan]))


def test_the_interval_of_many_values_is_that_of_the_normal_approximation() -> None:
    values = np.random.default_rng(4).random(2_000)
    low, high = bootstrap_interval(values, draws=4_000, seed=0)
    half = 1.96 * values.std() / np.sqrt(len(values))
    assert low == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert high == pytest.approx(values.mean() + half, abs=0.1 * half)


def test_the_interval_covers_the_mean_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(5)
    covered = 0
    for seed in range(200):
        low, high = bootstrap_interval(
            rng.exponential(size=80), confidence=0.8, draws=300, seed=seed
        )
        covered += low <= 1 <= high
    assert 0.70 <= covered / 200 <= 0.88


def test_a_seed_repeats_and_queries_without_a_value_are_left_out() -> None:
    values = np.random.default_rng(6).random(30)
    interval = bootstrap_interval(values, seed=7)
    assert bootstrap_interval(np.append(values, np.nan), seed=7) == interval
    assert bootstrap_interval(values, seed=8) != interval


def test_blocks_of_draws_cover_them_all(monkeypatch: pytest.MonkeyPatch) -> None:
    from crossmodal.metrics import significance

    monkeypatch.setattr(significance, "BLOCK_DRAWS", 7 * 10)
    values = np.linspace(0, 0.5, 10)
    assert paired_randomization_test(values + 0.3, values, draws=99) <= 5 / 100
    low, high = bootstrap_interval(values, draws=100)
    assert 0 < low < values.mean() < high < 0.5


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95.0])
def test_a_confidence_outside_zero_and_one_raises(confidence: float) -> None:
    with pytest.raises(ValueError, match=f"between 0 and 1, got {confidence}"):
        bootstrap_interval(np.ones(3), confidence=confidence)


def test_no_draws_raise() -> None:
    with pytest.raises(ValueError, match="draws must be 1 or more, got 0"):
        bootstrap_interval(np.ones(3), draws=0)
