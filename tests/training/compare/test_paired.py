"""Paired differences against every sign flip, plain resampling, and tables."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from tests.training.compare.made import A2V, DIRECTIONS, V2A, standing, unit_keys
from training.compare.paired import paired_differences, t_interval

AUDIO, VISUAL = 7, 9


def scores(seed: int, lift: float = 0.0) -> dict:
    rng = np.random.default_rng(seed)
    found = {
        A2V: np.float32(0.4 + lift + 0.3 * rng.random(AUDIO)),
        V2A: np.float32(0.3 + lift + 0.3 * rng.random(VISUAL)),
    }
    found[V2A][VISUAL - 1] = np.nan  # a query without relevant items, in every entry
    return found


@pytest.fixture
def made(tmp_path: Path) -> tuple:
    a = standing(tmp_path, "c_cca", [scores(n, 0.08) for n in (1, 2, 3)])
    b = standing(tmp_path, "cca", [scores(n) for n in (4, 5, 6)])
    return a, b


def by_unit(a: object, b: object) -> np.ndarray:
    """Return per clip its share of the difference, found by plain loops."""
    share = np.zeros(VISUAL)
    for direction, count in ((A2V, AUDIO), (V2A, VISUAL - 1)):
        for query in range(count):
            ours = [o.per_query(direction, METRIC)[query] for o in a.outcomes]
            theirs = [o.per_query(direction, METRIC)[query] for o in b.outcomes]
            share[query] += (sum(ours) / 3 - sum(theirs) / 3) / count / 2
    return share


METRIC = "mean_average_precision"


def test_the_difference_is_that_of_the_means(made: tuple) -> None:
    a, b = made
    (found,) = paired_differences([(a, b)], DIRECTIONS, unit_keys(AUDIO, VISUAL))
    assert found.mean == pytest.approx(by_unit(a, b).sum(), abs=1e-9)
    means = {
        d: np.mean([np.nanmean(o.per_query(d, METRIC)) for o in a.outcomes])
        - np.mean([np.nanmean(o.per_query(d, METRIC)) for o in b.outcomes])
        for d in DIRECTIONS
    }
    assert found.by_direction == pytest.approx({str(d): v for d, v in means.items()})
    assert found.mean == pytest.approx(np.mean(list(means.values())))
    expected = [
        np.mean([np.nanmean(x.per_query(d, METRIC)) for d in DIRECTIONS])
        - np.mean([np.nanmean(y.per_query(d, METRIC)) for d in DIRECTIONS])
        for x, y in zip(a.outcomes, b.outcomes, strict=True)
    ]
    assert found.by_seed == pytest.approx(expected, abs=1e-6)
    assert np.mean(found.by_seed) == pytest.approx(found.mean, abs=1e-6)


def test_p_is_the_share_of_all_sign_flips_that_go_as_far(made: tuple) -> None:
    a, b = made
    share = by_unit(a, b)
    sums = [abs(np.dot(signs, share)) for signs in product((-1, 1), repeat=len(share))]
    exact = np.mean([s >= abs(share.sum()) - 1e-12 for s in sums])
    assert 0.001 < exact < 0.5
    (found,) = paired_differences([(a, b)], DIRECTIONS, unit_keys(AUDIO, VISUAL))
    assert found.p_value == pytest.approx(exact, abs=4 * np.sqrt(exact / 10_000) + 1e-4)


def test_the_interval_is_that_of_resampled_clips(made: tuple) -> None:
    a, b = made
    rng, means = np.random.default_rng(9), []
    columns = {
        d: np.mean([o.per_query(d, METRIC) for o in a.outcomes], axis=0)
        - np.mean([o.per_query(d, METRIC) for o in b.outcomes], axis=0)
        for d in DIRECTIONS
    }
    for _ in range(2000):
        drawn = rng.integers(0, VISUAL, VISUAL)
        sides = [[c[u] for u in drawn if u < len(c)] for c in columns.values()]
        if all(np.isfinite(side).any() for side in sides):
            means.append(np.mean([np.nanmean(side) for side in sides]))
    (found,) = paired_differences([(a, b)], DIRECTIONS, unit_keys(AUDIO, VISUAL))
    assert found.interval == pytest.approx(np.quantile(means, [0.025, 0.975]), abs=0.012)


def test_pairs_are_judged_as_if_alone_and_the_other_way_round_is_minus(
    made: tuple,
) -> None:
    a, b = made
    keys = unit_keys(AUDIO, VISUAL)
    both = paired_differences([(a, b), (b, a), (a, a)], DIRECTIONS, keys)
    assert [both[0]] == paired_differences([(a, b)], DIRECTIONS, keys)
    assert both[1].mean == -both[0].mean
    assert both[1].p_value == both[0].p_value
    assert both[1].interval == pytest.approx([-x for x in reversed(both[0].interval)])
    assert (both[2].mean, both[2].p_value, both[2].interval) == (0, 1, (0, 0))
    assert paired_differences([], DIRECTIONS, keys) == []


def test_folds_of_a_seed_are_one_value_of_it(tmp_path: Path) -> None:
    flat = [{A2V: np.full(2, s), V2A: np.full(2, s)} for s in (0.5, 0.75, 0.25, 0.5)]
    zero = [{d: 0 * ap for d, ap in one.items()} for one in flat]
    a = standing(tmp_path, "c_cca", flat, folds=2)
    b = standing(tmp_path, "cca", zero, folds=2)
    (found,) = paired_differences([(a, b)], DIRECTIONS, unit_keys(4, 4))
    assert found.by_seed == (0.625, 0.375)
    assert found.mean == 0.5


def test_t_intervals_are_those_of_the_tables() -> None:
    assert t_interval([0.3]) is None
    assert t_interval([0.2, 0.2, 0.2]) == pytest.approx((0.2, 0.2))
    low, high = t_interval([1.0, 2.0, 3.0, 4.0, 5.0])  # type: ignore[misc]
    assert (low, high) == pytest.approx((3 - 2.776 * 0.7071, 3 + 2.776 * 0.7071), abs=1e-3)
