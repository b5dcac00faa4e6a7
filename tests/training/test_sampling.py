from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from crossmodal.errors import DataError
from crossmodal.modality import Modality
from training.batches.sampling import UNPAIRED, BalancedBatches
from training.data import TrainingData

A, V = Modality.AUDIO, Modality.VISUAL

MakeData = Callable[..., TrainingData]


def sampler(
    data: TrainingData, classes: int = 3, items: int = 4, seed: int = 0
) -> BalancedBatches:
    return BalancedBatches(data, classes, items, np.random.default_rng(seed))


def test_a_batch_holds_p_classes_of_k_pairs_with_both_members(make_data: MakeData) -> None:
    data = make_data()
    for batch in sampler(data):
        numbers, counts = np.unique(batch.labels[A], return_counts=True)
        assert len(numbers) == 3
        assert (counts == 4).all()
        np.testing.assert_array_equal(batch.rows[A], batch.rows[V])
        np.testing.assert_array_equal(batch.pairs[A], batch.pairs[V])
        for modality in (A, V):
            np.testing.assert_array_equal(
                batch.labels[modality], data.labels[modality][batch.rows[modality]]
            )


def test_pairs_meet_even_if_their_rows_differ(make_data: MakeData) -> None:
    data = make_data()
    reverse = np.arange(48)[::-1].copy()
    flipped = replace(
        data,
        labels={A: data.labels[A], V: data.labels[V][reverse]},
        pairs={A: np.arange(48), V: reverse},
    )
    for batch in sampler(flipped):
        np.testing.assert_array_equal(batch.rows[A], 47 - batch.rows[V])
        np.testing.assert_array_equal(batch.labels[A], batch.labels[V])


def test_no_item_is_twice_in_a_batch_and_each_has_its_turn(make_data: MakeData) -> None:
    data = make_data(per_class=9, unequal=True)
    batches = sampler(data, classes=3, items=5)
    seen: dict[Modality, set[int]] = {A: set(), V: set()}
    for _ in range(4):
        for batch in batches:
            for modality, rows in batch.rows.items():
                assert len(set(rows)) == len(rows)
                seen[modality] |= set(rows.tolist())
    for modality, rows in seen.items():
        assert len(rows) == len(data.features[modality])


def test_modalities_without_pairs_are_dealt_apart(make_data: MakeData) -> None:
    data = make_data(unequal=True)
    for batch in sampler(data):
        assert set(batch.labels[A]) == set(batch.labels[V])
        assert (batch.pairs[A] == UNPAIRED).all()


def test_items_beside_the_pairs_are_dealt_in_proportion(make_data: MakeData) -> None:
    data = make_data(per_class=12)
    half = np.flatnonzero(np.arange(48) % 12 < 6)
    mixed = replace(data, pairs={A: half, V: half})
    for batch in sampler(mixed, classes=4, items=4):
        paired = batch.pairs[A] != UNPAIRED
        assert paired.sum() == 8
        np.testing.assert_array_equal(batch.rows[A][paired], batch.rows[V][paired])
        assert (~paired).sum() == 8


def test_a_small_class_gives_all_it_has(make_data: MakeData) -> None:
    data = make_data(per_class=3)
    for batch in sampler(data, classes=2, items=32):
        assert np.unique(batch.labels[A], return_counts=True)[1].tolist() == [3, 3]


def test_an_epoch_has_places_for_every_item(make_data: MakeData) -> None:
    data = make_data(per_class=12, classes=4)
    assert len(sampler(data, classes=3, items=5)) == 4  # 48 / 15, rounded up
    assert len(list(sampler(data, classes=3, items=5))) == 4


def test_class_missing_from_one_modality_is_left_out(make_data: MakeData) -> None:
    data = make_data(unequal=True)
    kept = data.labels[V] != 2
    partial = replace(
        data,
        features={A: data.features[A], V: data.features[V][kept]},
        labels={A: data.labels[A], V: data.labels[V][kept]},
    )
    for batch in sampler(partial, classes=4):
        assert 2 not in batch.labels[A]
        assert set(batch.labels[A]) == set(batch.labels[V]) == {0, 1, 3}


def test_pairs_without_labels_fill_whole_batches(make_data: MakeData) -> None:
    data = make_data(labeled=False)
    (first, *_) = sampler(data, classes=3, items=4)
    assert len(first.rows[A]) == 12
    np.testing.assert_array_equal(first.rows[A], first.rows[V])


def test_same_seed_deals_the_same_batches(make_data: MakeData) -> None:
    one, other = (
        [batch.rows[A].tolist() for batch in sampler(make_data(), seed=7)] for _ in range(2)
    )
    assert one == other
    assert one != [batch.rows[A].tolist() for batch in sampler(make_data(), seed=8)]


def test_nothing_shared_is_an_error(make_data: MakeData) -> None:
    data = make_data(unequal=True, labeled=False)
    with pytest.raises(DataError, match="0 training items share a class or a pair"):
        sampler(data)


def test_row_in_several_drawn_pairs_meets_each_of_its_partners(make_data: MakeData) -> None:
    data = make_data(unequal=True).with_drawn_pairs(0)
    assert data.pairs is not None
    assert len(set(data.pairs[V])) < len(data.pairs[V])
    for batch in sampler(data, classes=4, items=12):
        np.testing.assert_array_equal(batch.pairs[A], batch.pairs[V])
        for modality in (A, V):
            expected = data.pairs[modality][batch.pairs[modality]]
            np.testing.assert_array_equal(batch.rows[modality], expected)
