from collections.abc import Callable

import numpy as np
import pytest

from crossmodal.errors import DataError
from crossmodal.modality import Modality
from training.batches.pair_batches import PairBatches
from training.data import TrainingData

A, V = Modality.AUDIO, Modality.VISUAL

MakeData = Callable[..., TrainingData]


@pytest.mark.parametrize("size", [5, 16, 20, 48, 500])
def test_every_pair_comes_once_per_epoch_with_its_partner(
    make_data: MakeData, size: int
) -> None:
    data = make_data(0)
    batches = PairBatches(data, size, np.random.default_rng(0))
    for _ in range(2):
        dealt = list(batches)
        assert len(dealt) == len(batches)
        sizes = [len(batch.rows[A]) for batch in dealt]
        assert max(sizes) - min(sizes) <= 1
        assert max(sizes) < 1.5 * size + 1
        for batch in dealt:
            np.testing.assert_array_equal(batch.rows[A], batch.rows[V])
            np.testing.assert_array_equal(batch.labels[A], data.labels[A][batch.rows[A]])
            np.testing.assert_array_equal(batch.pairs[A], batch.pairs[V])
        seen = np.concatenate([batch.rows[V] for batch in dealt])
        np.testing.assert_array_equal(np.sort(seen), np.arange(48))


def test_order_is_one_of_chance_unless_told_otherwise(make_data: MakeData) -> None:
    shuffled = PairBatches(make_data(0), 48, np.random.default_rng(0))
    (first,), (second,) = list(shuffled), list(shuffled)
    assert not np.array_equal(first.rows[A], second.rows[A])
    standing = PairBatches(make_data(0), 48, np.random.default_rng(0), shuffle=False)
    np.testing.assert_array_equal(next(iter(standing)).rows[A], np.arange(48))


def test_drawn_pairs_share_a_class(make_data: MakeData) -> None:
    data = make_data(0, unequal=True).with_drawn_pairs(0)
    for batch in PairBatches(data, 10, np.random.default_rng(0)):
        np.testing.assert_array_equal(batch.labels[A], batch.labels[V])


def test_data_without_pairs_is_refused(make_data: MakeData) -> None:
    with pytest.raises(DataError, match="needs two pairs or more"):
        PairBatches(make_data(0, unequal=True), 8, np.random.default_rng(0))
