"""Many systems at once against the one-system tests, and against repeated draws."""

import numpy as np
import pytest

from crossmodal.metrics.significance import bootstrap_interval, paired_randomization_test
from training.compare.uncertainty import (
    Sample,
    bootstrap_intervals,
    number_units,
    randomization_tests,
)


def ap(seed: int, queries: int, systems: int = 3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    hardness = rng.random((queries, 1))
    values = 0.7 * hardness + 0.3 * rng.random((queries, systems))
    values[:, 0] += 0.02
    values[::7] = np.nan
    return values


def test_p_values_are_those_of_the_test_of_two() -> None:
    values = ap(0, 50)
    known = ~np.isnan(values[:, 0])
    sample = Sample([values[known]], [np.arange(known.sum())])
    found = randomization_tests(sample, 0, draws=2000)
    assert found[0] == 1
    for system in (1, 2):
        expected = paired_randomization_test(
            values[:, 0], values[:, system], draws=2000, seed=0
        )
        assert found[system] == pytest.approx(expected, abs=1e-12)


def test_intervals_agree_with_the_bootstrap_of_one() -> None:
    values = ap(1, 200)
    found = bootstrap_intervals(Sample([values], [np.arange(200)]), draws=4000)
    for system in range(3):
        low, high = bootstrap_interval(values[:, system], draws=4000, seed=1)
        assert found[system] == pytest.approx([low, high], abs=0.006)


def test_the_mean_over_directions_is_drawn_clip_by_clip() -> None:
    one = ap(2, 120)
    both = Sample([one, one], [np.arange(120), np.arange(120)])
    alone = Sample([one], [np.arange(120)])
    np.testing.assert_allclose(both.means(), alone.means())
    np.testing.assert_allclose(bootstrap_intervals(both), bootstrap_intervals(alone))
    np.testing.assert_array_equal(
        randomization_tests(both, 0), randomization_tests(alone, 0)
    )


def test_directions_of_unequal_size_count_alike() -> None:
    few, many = ap(3, 20), ap(4, 300)
    units = number_units([[f"a{n}" for n in range(20)], [f"v{n}" for n in range(300)]])
    sample = Sample([few, many], units)
    expected = (np.nanmean(few, axis=0) + np.nanmean(many, axis=0)) / 2
    np.testing.assert_allclose(sample.means(), expected)
    assert sample.size == 320
    for (low, high), mean in zip(bootstrap_intervals(sample), expected, strict=True):
        assert low < mean < high


def test_queries_of_one_clip_share_a_unit() -> None:
    units = number_units([["pair 1", "pair 2", "audio x"], ["pair 2", "pair 1"]])
    assert [list(numbers) for numbers in units] == [[0, 1, 2], [1, 0]]
