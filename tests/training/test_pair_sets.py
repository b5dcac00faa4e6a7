from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from crossmodal.errors import ConfigError, DataError
from crossmodal.modality import Modality
from training.correlation.linear_cca import Moments, pair_moments
from training.correlation.pair_sets import PairSet, moments_of
from training.data import TrainingData

A, V = Modality.AUDIO, Modality.VISUAL

MakeData = Callable[..., TrainingData]


def wide(data: TrainingData) -> dict[Modality, np.ndarray]:
    return {m: rows.astype(np.float64) for m, rows in data.features.items()}


def over(data: TrainingData, pairs: list[tuple[int, int]]) -> Moments:
    rows = wide(data)
    i, j = np.array(pairs).T
    return pair_moments(rows[A][i], rows[V][j])


def assert_equal(found: Moments, expected: Moments) -> None:
    for name in ("left_mean", "right_mean", "left", "right", "cross"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), atol=1e-9)


def class_pairs(data: TrainingData, partners: np.ndarray) -> list[tuple[int, int]]:
    return [
        (i, j)
        for i, ours in enumerate(data.labels[A])
        for j, theirs in enumerate(data.labels[V])
        if ours == theirs and ours >= 0 and partners[j]
    ]


def true_pairs(data: TrainingData) -> list[tuple[int, int]]:
    assert data.pairs is not None
    return list(zip(data.pairs[A].tolist(), data.pairs[V].tolist(), strict=True))


def test_blend_is_that_of_the_pairs_listed(make_data: MakeData) -> None:
    data = make_data(0)
    data.labels[A][3] = data.labels[V][20] = -1
    listed = over(data, class_pairs(data, np.ones(48, dtype=bool)))
    expected = listed.blend(over(data, true_pairs(data)), 0.2)
    assert_equal(moments_of(wide(data), data, PairSet(sigma=0.2)), expected)


@pytest.mark.parametrize("fraction", [0.25, 0.5])
def test_fraction_pairs_each_left_item_with_a_share_of_its_class(
    make_data: MakeData, fraction: float
) -> None:
    data = make_data(0)
    pair_set = PairSet(fraction=fraction, seed=3)
    partners = pair_set.partners(data.labels[V])
    for number in range(4):
        assert partners[data.labels[V] == number].sum() == 12 * fraction
    assert_equal(
        moments_of(wide(data), data, pair_set), over(data, class_pairs(data, partners))
    )
    other = replace(pair_set, seed=4).partners(data.labels[V])
    assert not np.array_equal(partners, other)


def test_no_class_pairs_leave_the_true_ones(make_data: MakeData) -> None:
    data = make_data(0)
    found = moments_of(wide(data), data, PairSet(sigma=0.2, fraction=0.0))
    assert_equal(found, over(data, true_pairs(data)))


def test_plain_marginals_are_those_of_the_true_pairs(make_data: MakeData) -> None:
    data = make_data(0)
    for labels in data.labels.values():
        labels[:10] = 3
    found = moments_of(wide(data), data, PairSet(sigma=0.2, marginals="plain"))
    matched = moments_of(wide(data), data, PairSet(sigma=0.2))
    pairs = over(data, true_pairs(data))
    np.testing.assert_allclose(found.left, pairs.left, atol=1e-9)
    np.testing.assert_allclose(found.right_mean, pairs.right_mean, atol=1e-9)
    np.testing.assert_allclose(found.cross, matched.cross, atol=1e-9)
    assert abs(found.left - matched.left).max() > 1e-3


def test_class_of_one_modality_alone_makes_no_pairs(make_data: MakeData) -> None:
    data = make_data(0)
    data.labels[V][:] = -1
    data.labels[V][:5] = 3
    data.labels[A][:] = 1
    with pytest.raises(DataError, match="class present in both audio and visual"):
        moments_of(wide(data), data, PairSet())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"sigma": 1.5}, "sigma must be in"),
        ({"fraction": -0.1}, "fraction must be in"),
        ({"marginals": "none"}, "marginals must be one of matched, plain"),
    ],
)
def test_values_out_of_range_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        PairSet(**values)  # type: ignore[arg-type]
