from collections import Counter

import numpy as np
import pytest

from crossmodal.errors import DataError
from crossmodal.features import FeaturesFile, table
from crossmodal.modality import Modality
from training.protocol.splits import with_test, with_validation

LABELS = ["a"] * 40 + ["b"] * 20 + ["c"] * 3
IDS = [f"i{n}" for n in range(63)]


def paired(**columns: object) -> FeaturesFile:
    content = {"id": IDS, "label": LABELS, "split": ["train"] * 63, "pair": IDS} | columns
    features = np.ones((63, 2), dtype=np.float32)
    return FeaturesFile(
        "some",
        {m: table(features, **content) for m in (Modality.AUDIO, Modality.VISUAL)},
    )


def splits(data: FeaturesFile, modality: Modality) -> dict[str, str]:
    rows = data.modalities[modality]
    return dict(zip(rows.id, rows.split, strict=True))


def test_a_tenth_of_each_class_is_taken_and_pairs_stay_together() -> None:
    data = with_validation(paired())
    audio, visual = (splits(data, m) for m in (Modality.AUDIO, Modality.VISUAL))
    assert audio == visual
    taken = Counter(LABELS[IDS.index(i)] for i, split in audio.items() if split == "val")
    assert taken == {"a": 4, "b": 2, "c": 1}


def test_choice_is_fixed_by_the_seed_and_moves_with_it() -> None:
    first = splits(with_validation(paired(), seed=1), Modality.AUDIO)
    assert first == splits(with_validation(paired(), seed=1), Modality.AUDIO)
    assert first != splits(with_validation(paired(), seed=2), Modality.AUDIO)


def test_groups_are_never_cut_in_two() -> None:
    groups = [f"g{n % 7}" for n in range(63)]
    found = splits(with_validation(paired(group=groups)), Modality.AUDIO)
    sides: dict[str, set[str]] = {}
    for item, group in zip(IDS, groups, strict=True):
        sides.setdefault(group, set()).add(found[item])
    assert all(len(side) == 1 for side in sides.values())
    assert {"val"} in sides.values()
    assert {"train"} in sides.values()


def test_where_no_row_has_a_split_a_quarter_of_each_class_is_tested() -> None:
    data = with_test(paired(split=[""] * 63))
    audio, visual = (splits(data, m) for m in (Modality.AUDIO, Modality.VISUAL))
    assert audio == visual
    assert set(audio.values()) == {"train", "test"}
    taken = Counter(LABELS[IDS.index(i)] for i, split in audio.items() if split == "test")
    assert taken == {"a": 10, "b": 5, "c": 1}
    twos = [f"g{n // 2}" for n in range(63)]
    found = splits(with_test(paired(split=[""] * 63, group=twos)), Modality.AUDIO)
    assert all(found[IDS[n]] == found[IDS[n + 1]] for n in range(0, 62, 2))


def test_splits_that_are_there_are_kept() -> None:
    some = paired(split=["test"] + [""] * 62)
    assert with_test(some) is some


def test_the_data_sets_own_validation_is_kept() -> None:
    own = ["val"] * 3 + ["train"] * 60
    assert splits(with_validation(paired(split=own)), Modality.AUDIO) == dict(
        zip(IDS, own, strict=True)
    )


def test_test_rows_never_move() -> None:
    data = with_validation(paired(split=["test"] * 30 + ["train"] * 33))
    assert list(data.modalities[Modality.AUDIO].split[:30]) == ["test"] * 30


def test_group_in_train_and_test_is_refused() -> None:
    columns = {"split": ["test"] + ["train"] * 62, "group": ["g"] * 63}
    with pytest.raises(
        DataError, match="field audio/group: 'g' has rows in train and in test"
    ):
        with_validation(paired(**columns))
