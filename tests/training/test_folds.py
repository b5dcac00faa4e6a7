from collections import Counter

import numpy as np
import pytest

from crossmodal.errors import DataError
from crossmodal.features import FeaturesFile, table
from crossmodal.modality import Modality
from training.protocol.folds import assign_folds, fold_ids, with_fold

A, V = Modality.AUDIO, Modality.VISUAL
LABELS = ["a"] * 23 + ["b"] * 40
ROWS = len(LABELS)


def made(**columns: object) -> FeaturesFile:
    content: dict[str, object] = {
        "id": [f"i{n}" for n in range(ROWS)],
        "label": LABELS,
        "split": ["train"] * 50 + ["test"] * 13,
        "pair": [f"p{n}" for n in range(ROWS)],
    } | columns
    features = np.ones((ROWS, 2), dtype=np.float32)
    return FeaturesFile("made", {m: table(features, **content) for m in (A, V)})  # type: ignore[arg-type]


def test_every_row_is_tested_once_and_classes_are_spread_evenly() -> None:
    data = made()
    tested: Counter[str] = Counter()
    for fold in range(1, 6):
        part = with_fold(data, 5, fold).of_split("test").modalities
        assert list(part[A].id) == list(part[V].id) == fold_ids(data, 5)[f"fold{fold}"][A]
        tested.update(part[A].id)
        counts = Counter(part[A].label)
        assert 4 <= counts["a"] <= 5
        assert counts["b"] == 8
    assert tested == Counter({f"i{n}": 1 for n in range(ROWS)})


def test_groups_are_never_cut_in_two() -> None:
    groups = [f"g{n % 9}" for n in range(ROWS)]
    data = made(group=groups)
    for fold in range(1, 4):
        rows = with_fold(data, 3, fold).modalities[A]
        test = set(rows.group[rows.split == "test"])
        assert test
        assert test.isdisjoint(rows.group[rows.split == "train"])


def test_folds_do_not_depend_on_the_order_of_rows() -> None:
    order = np.random.default_rng(0).permutation(ROWS)
    data = made()
    shuffled = FeaturesFile("made", {m: t.take(order) for m, t in data.modalities.items()})
    assert assign_folds(shuffled, 4) == assign_folds(data, 4)


def test_more_folds_than_a_class_has_groups_are_refused() -> None:
    with pytest.raises(
        DataError, match="field audio/label: 'a' has 23 groups of items, fewer than 24"
    ):
        assign_folds(made(), 24)
