import numpy as np
import pytest

from crossmodal.errors import DataError
from crossmodal.features import FeaturesFile, table
from crossmodal.modality import Modality
from training.data import class_names, own_steps, training_data
from training.methods.catalog import METHODS
from training.methods.method import Problem, as_taken

A, V = Modality.AUDIO, Modality.VISUAL


def rows(ids: str, labels: str, pairs: list[str] | None = None) -> object:
    return table(
        np.arange(len(ids), dtype=np.float32)[:, None],
        id=list(ids),
        label=list(labels),
        split=["train"] * len(ids),
        pair=pairs,
    )


def test_pairs_join_rows_by_key_whatever_their_order() -> None:
    data = FeaturesFile(
        "some",
        {A: rows("abc", "xyx", ["p", "q", "r"]), V: rows("def", "xxy", ["r", "p", "q"])},
    )
    pairs = training_data(data, "train").pairs
    assert pairs is not None
    joined = {tuple(pair) for pair in zip(pairs[A], pairs[V], strict=True)}
    assert joined == {(0, 1), (1, 2), (2, 0)}


def test_class_paired_data_has_no_pairs_until_some_are_drawn_within_classes() -> None:
    data = FeaturesFile("some", {A: rows("abc", "xxy"), V: rows("defgh", "xyyyy")})
    part = training_data(data, "train")
    assert part.pairs is None
    drawn = part.with_drawn_pairs(3)
    assert drawn.pairs is not None
    for a, v in zip(drawn.pairs[A], drawn.pairs[V], strict=True):
        assert part.labels[A][a] == part.labels[V][v]
    assert sorted(drawn.pairs[V][drawn.pairs[V] > 0]) == [1, 2, 3, 4]


def test_nothing_in_common_cannot_be_paired() -> None:
    data = FeaturesFile("some", {A: rows("a", "x"), V: rows("b", "y")})
    with pytest.raises(DataError, match="no class has items in every modality"):
        training_data(data, "train").with_drawn_pairs(0)


def timed(modality: Modality, length: list[int]) -> FeaturesFile:
    steps = np.random.default_rng(0).standard_normal((3, 4, 2)).astype(np.float32)
    rows = table(steps, id="abc", label="xyx", split=["train"] * 3, length=length)
    return FeaturesFile("timed", {modality: rows})


def test_a_time_axis_gives_pooled_rows_and_sequences_of_own_steps() -> None:
    data = timed(A, [4, 1, 3])
    part = training_data(data, "train")
    steps = data.modalities[A].features
    for row, length in enumerate([4, 1, 3]):
        np.testing.assert_allclose(
            part.features[A][row], steps[row, :length].mean(axis=0), atol=1e-6
        )
        np.testing.assert_array_equal(
            own_steps(part.sequences[A][row]), steps[row, :length]
        )
    taken = part.with_sequences()
    np.testing.assert_array_equal(taken.features[A], part.sequences[A])
    assert Problem.of(taken).dims == {A: 2}


def test_a_method_of_pooled_rows_is_given_no_sequences() -> None:
    taken = as_taken(METHODS["cca"].card, training_data(timed(A, [4, 4, 4]), "train"))
    assert taken.features[A].shape == (3, 2)
    assert not taken.sequences


def test_one_row_per_item_is_no_sequence() -> None:
    data = FeaturesFile("some", {**timed(A, [4, 4, 4]).modalities, V: rows("abc", "xyx")})
    with pytest.raises(
        DataError, match=r"field visual/features .*: has one row per item; the"
    ):
        training_data(data, "train").with_sequences()


def test_numeric_labels_sort_as_numbers() -> None:
    data = FeaturesFile(
        "some", {A: table(np.ones((3, 1), np.float32), id="abc", label=[10, 9, 1])}
    )
    assert class_names(data) == ("1", "9", "10")


def test_empty_split_is_refused() -> None:
    data = FeaturesFile("some", {A: rows("a", "x")})
    with pytest.raises(
        DataError, match="field audio/split: no audio row is of split test; the"
    ):
        training_data(data, "test")


def test_label_unseen_in_training_is_refused() -> None:
    data = FeaturesFile("some", {A: rows("a", "x")})
    with pytest.raises(DataError, match=r"field audio/label .*: train has a row of 'x'"):
        training_data(data, "train", ["y"])
