from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from crossmodal.errors import ConfigError, DataError
from crossmodal.modality import Modality
from training.batches.epoch_batches import ORDERS, EpochBatches
from training.data import TrainingData

A, V = Modality.AUDIO, Modality.VISUAL

MakeData = Callable[..., TrainingData]


def dealt(
    data: TrainingData, order: str, count: int = 4, seed: int = 0
) -> list[dict[Modality, list[int]]]:
    batches = EpochBatches(data, count, np.random.default_rng(seed), order)
    return [{m: rows.tolist() for m, rows in batch.rows.items()} for batch in batches]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("unequal", [True, False])
def test_an_epoch_deals_every_item_exactly_once(
    make_data: MakeData, order: str, unequal: bool
) -> None:
    data = make_data(unequal=unequal)
    batches = dealt(data, order)
    assert len(batches) == 4
    for modality in (A, V):
        rows = sorted(row for batch in batches for row in batch[modality])
        assert rows == list(range(len(data.features[modality])))


@pytest.mark.parametrize("order", ORDERS)
def test_row_in_several_drawn_pairs_meets_each_of_its_partners(
    make_data: MakeData, order: str
) -> None:
    data = make_data(unequal=True).with_drawn_pairs(0)
    assert data.pairs is not None
    seen: list[int] = []
    for batch in EpochBatches(data, 4, np.random.default_rng(0), order):
        np.testing.assert_array_equal(batch.pairs[A], batch.pairs[V])
        for modality in (A, V):
            expected = data.pairs[modality][batch.pairs[modality]]
            np.testing.assert_array_equal(batch.rows[modality], expected)
        seen += batch.pairs[A].tolist()
    assert sorted(seen) == list(range(len(data.pairs[A])))


@pytest.mark.parametrize("order", ORDERS)
def test_partners_share_a_batch_even_if_their_rows_differ(
    make_data: MakeData, order: str
) -> None:
    data = make_data()
    reverse = np.arange(48)[::-1].copy()
    half = np.arange(48) < 30  # the rest have no partner
    flipped = replace(
        data,
        labels={A: data.labels[A], V: data.labels[V][reverse]},
        pairs={A: np.arange(48)[half], V: reverse[half]},
    )
    met = 0
    for batch in EpochBatches(flipped, 4, np.random.default_rng(0), order):
        ours = {n: row for n, row in zip(batch.pairs[A], batch.rows[A], strict=True)}
        theirs = {n: row for n, row in zip(batch.pairs[V], batch.rows[V], strict=True)}
        assert set(ours) - {-1} == set(theirs) - {-1}
        for number in set(ours) - {-1}:
            assert ours[number] == 47 - theirs[number]
            met += 1
        np.testing.assert_array_equal(batch.labels[A], flipped.labels[A][batch.rows[A]])
    assert met == 30


def test_stratified_batches_keep_class_shares_to_within_one_item(
    make_data: MakeData,
) -> None:
    data = make_data(per_class=30)
    kept = np.flatnonzero((data.labels[A] != 3) | (np.arange(120) % 3 == 0))
    skewed = replace(
        data,
        features={m: rows[kept] for m, rows in data.features.items()},
        labels={m: rows[kept] for m, rows in data.labels.items()},
        pairs={m: np.arange(len(kept)) for m in (A, V)},
    )
    for batch in EpochBatches(skewed, 7, np.random.default_rng(0), "stratified"):
        for modality in (A, V):
            counts = np.bincount(batch.labels[modality], minlength=4)
            assert (np.abs(counts - np.array([30, 30, 30, 10]) / 7) < 1).all()


def test_epochs_of_chance_differ_and_seeds_repeat(make_data: MakeData) -> None:
    for order in ("stratified", "shuffled"):
        batches = EpochBatches(make_data(), 4, np.random.default_rng(0), order)
        one, other = ([b.rows[A].tolist() for b in batches] for _ in range(2))
        assert one != other
        assert dealt(make_data(), order) == dealt(make_data(), order)
        assert dealt(make_data(), order) != dealt(make_data(), order, seed=1)


def test_sequential_batches_of_a_file_sorted_by_class_hold_one_class(
    make_data: MakeData,
) -> None:
    data = make_data()
    batches = dealt(data, "sequential")
    assert [batch[A] for batch in batches] == np.arange(48).reshape(4, 12).tolist()
    for batch in batches:
        assert len(set(data.labels[A][batch[A]])) == 1


def test_batches_hold_two_items_per_class_at_least_on_average(make_data: MakeData) -> None:
    batches = EpochBatches(make_data(), 400, np.random.default_rng(0), "stratified")
    assert len(batches) == 6  # 48 rows, 8 per batch
    assert min(len(batch.rows[A]) for batch in batches) >= 4


def test_too_few_rows_and_unknown_orders_are_refused(make_data: MakeData) -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(DataError, match="1 training items in a modality, expected 2"):
        EpochBatches(make_data(per_class=1, classes=1), 1, rng, "shuffled")
    with pytest.raises(ConfigError, match="order must be one of stratified"):
        EpochBatches(make_data(), 4, rng, "sorted")
