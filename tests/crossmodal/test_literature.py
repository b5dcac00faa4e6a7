"""The literature's layout, and every way a file of it can be wrong."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from crossmodal.errors import ConfigError, DataError
from crossmodal.feature_tables import FeaturesFile, table
from crossmodal.features import read_features
from crossmodal.literature import LiteratureOptions, write_literature
from crossmodal.modality import Modality

A, V = Modality.AUDIO, Modality.VISUAL
RNG = np.random.default_rng(5)
LABELS = np.array([0, 0, 1, 1, 2, 2])


def written(path: Path, **changes: object) -> Path:
    content: dict[str, object] = {
        "audio_train": RNG.standard_normal((6, 4)),
        "visual_train": RNG.standard_normal((6, 5)),
        "lab_train": LABELS,
        "audio_test": RNG.standard_normal((3, 4)),
        "visual_test": RNG.standard_normal((3, 5)),
        "lab_test": LABELS[::2],
    } | changes
    with h5py.File(path, "w") as file:
        for key, value in content.items():
            if value is not None:
                file[key] = value
    return path


def with_one(array: np.ndarray, row: int, value: float) -> np.ndarray:
    changed = array.astype(np.float64)
    changed[row] = value
    return changed


ONE_HOT = np.eye(3)[LABELS]


@pytest.mark.parametrize(
    "labels",
    [
        LABELS,
        LABELS + 1,
        LABELS[:, None].astype(np.float32) + 1,
        LABELS.astype(np.uint8),
        ONE_HOT,
        ONE_HOT.astype(bool),
        np.eye(5)[LABELS],  # columns of classes that do not occur
    ],
)
@pytest.mark.parametrize("same_form", [True, False])
def test_labels_in_every_public_form_are_class_numbers_from_0(
    tmp_path: Path, labels: np.ndarray, same_form: bool
) -> None:
    if same_form:
        test = labels[::2]
    elif labels.ndim == 2 and labels.shape[1] > 1:
        test = LABELS[::2]
    else:
        test = LABELS[::2].astype(np.float64) + float(labels.min())
    data = read_features(written(tmp_path / "l.h5", lab_train=labels, lab_test=test))
    for rows in data.modalities.values():
        assert list(rows.label) == list("001122012")
        assert list(rows.split) == ["train"] * 6 + ["test"] * 3
        assert list(rows.pair) == list(rows.id) == list(data.modalities[A].id)


def test_sequences_keep_their_time_axis_and_pool_to_their_mean(tmp_path: Path) -> None:
    train, test = RNG.standard_normal((6, 7, 4)), RNG.standard_normal((3, 7, 4))
    path = written(tmp_path / "s.h5", audio_train=train, audio_test=test)
    rows = read_features(path).modalities[A]
    assert rows.features.shape == (9, 7, 4)
    np.testing.assert_allclose(rows.pooled[0], train[0].mean(axis=0), atol=1e-6)


@pytest.mark.parametrize(
    ("quantization", "expected"),
    [("youtube8m", [-1.9921875, 2.0078125]), ("cmr", [-0.5, 127 / 256])],
)
def test_quantized_features_follow_either_convention(
    tmp_path: Path, quantization: str, expected: list[float]
) -> None:
    rows = np.array([[0, 255]] * 6, dtype=np.uint8)
    path = written(tmp_path / "q.h5", audio_train=rows, audio_test=rows[:3])
    data = read_features(path, LiteratureOptions(quantization=quantization))
    np.testing.assert_allclose(data.modalities[A].features[0], expected, atol=1e-6)


def test_unknown_quantization_is_refused() -> None:
    with pytest.raises(ConfigError, match="one of youtube8m, cmr, got 'half'"):
        LiteratureOptions(quantization="half")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lab_test": None}, "lab_test: is missing; every file"),
        ({"visual_train": None}, "visual_train: is missing; every file"),
        ({"audio_train": None}, "audio_train: is missing; every file"),
        (
            {"audio_train": np.zeros(6)},
            r"audio_train: has shape \(6,\); expected \(items, dim\)",
        ),
        ({"audio_train": np.zeros((6, 0))}, "audio_train: is empty"),
        (
            {"audio_train": np.array([["x"] * 4] * 6, "S1")},
            r"audio_train: holds \|S1; expected numbers",
        ),
        ({"audio_train": np.zeros((5, 4))}, "audio_train: has 5 rows, lab_train 6; row i"),
        (
            {"audio_test": np.zeros((3, 9))},
            r"audio_test: has rows of shape \(9,\), audio_train \(4,\)",
        ),
        ({"audio_test": np.full((3, 4), np.nan)}, "audio_test: row 0 is not finite"),
        ({"visual_train": np.full((6, 5), 1e300)}, "visual_train: row 0 is not finite"),
        (
            {"lab_train": np.zeros(6)},
            r"lab_train: holds one class only \(0\); expected two",
        ),
        ({"lab_train": np.zeros(0)}, "lab_train: has no rows; both splits"),
        (
            {"lab_train": with_one(LABELS, 3, 0.5)},
            "lab_train: row 3 is 0.5; expected class numbers",
        ),
        (
            {"lab_train": with_one(LABELS, 3, -1)},
            "lab_train: row 3 is -1; expected class numbers",
        ),
        (
            {"lab_train": with_one(LABELS, 3, np.nan)},
            "lab_train: row 3 is nan; expected class numbers",
        ),
        ({"lab_train": with_one(LABELS, 3, 250)}, "lab_train: holds class 250 but none 3"),
        ({"lab_train": with_one(LABELS, 3, 1e18)}, r"lab_train: row 3 is 1e\+18; expected"),
        ({"lab_train": LABELS + 4, "lab_test": LABELS[::2] + 4}, ".* 6 but none 1"),
        (
            {"lab_test": np.array([0, 1, 7])},
            "lab_test: holds class 7, which lab_train does not; leave",
        ),
        (
            {"lab_train": np.ones((6, 3))},
            "lab_train: has 3 columns but is not one-hot; expected",
        ),
        ({"lab_train": np.zeros((6, 1, 1))}, "lab_train: holds .*; expected class numbers"),
        (
            {"lab_train": np.array([b"cat"] * 6)},
            "lab_train: holds .*; expected class numbers",
        ),
        ({"audio_train": h5py.SoftLink("/gone")}, "audio_train: is a link; store"),
        (
            {"audio_train": h5py.ExternalLink("/etc/x.h5", "/x")},
            "audio_train: is a link; store",
        ),
    ],
)
def test_bad_file_is_one_error_that_names_file_and_field(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    path = written(tmp_path / "bad.h5", **changes)
    with pytest.raises(DataError, match=f"bad.h5: field {message}") as error:
        read_features(path)
    assert "\n" not in str(error.value)


def test_group_in_place_of_an_array_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "bad.h5", audio_train=None)
    with h5py.File(path, "a") as file:
        file.create_group("audio_train")
    with pytest.raises(DataError, match=r"bad.h5: field audio_train: is a group"):
        read_features(path)


def test_data_kept_in_another_file_is_not_followed(tmp_path: Path) -> None:
    path = written(tmp_path / "bad.h5", audio_train=None)
    secret = tmp_path / "secret.bin"
    secret.write_bytes(bytes(6 * 4 * 8))
    with h5py.File(path, "a") as file:
        stored = [(str(secret), 0, h5py.h5f.UNLIMITED)]
        file.create_dataset("audio_train", (6, 4), np.float64, external=stored)
    with pytest.raises(DataError, match="audio_train: keeps its data in another file"):
        read_features(path)


def test_file_cut_short_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "cut.h5")
    content = path.read_bytes()
    for size in (len(content) // 2, 100, 0):
        path.write_bytes(content[:size])
        with pytest.raises(DataError, match=r"cut.h5: not a readable HDF5 file"):
            read_features(path)
    with pytest.raises(DataError, match=r"gone.h5: no such file"):
        read_features(tmp_path / "gone.h5")


def test_features_scaled_with_test_rows_need_a_word(tmp_path: Path) -> None:
    train, test = RNG.random((40, 4)), RNG.random((20, 4))
    both = np.concatenate([train, test])
    low, span = both.min(axis=0), np.ptp(both, axis=0)
    path = written(
        tmp_path / "norm.h5",
        audio_train=(train - low) / span,
        audio_test=(test - low) / span,
        visual_train=RNG.random((40, 4)),
        visual_test=RNG.random((20, 4)),
        lab_train=np.arange(40) % 2,
        lab_test=np.arange(20) % 2,
    )
    with pytest.raises(
        DataError,
        match=r"field audio_train: is with audio_test min-max scaled fitted on .*together",
    ):
        read_features(path)
    taken = read_features(path, LiteratureOptions(accept_scaled=True))
    assert taken.modalities[A].features.min() == pytest.approx(0, abs=1e-6)


def test_what_is_written_in_this_layout_reads_back(tmp_path: Path) -> None:
    columns = {
        "id": [f"c{n}" for n in range(9)],
        "pair": [f"c{n}" for n in range(9)],
        "label": list("dcdcoodco"),
        "split": ["train"] * 6 + ["test"] * 3,
    }
    tables = {
        m: table(RNG.standard_normal((9, dim)).astype(np.float32), **columns)
        for m, dim in ((A, 4), (V, 5))
    }
    data = FeaturesFile("mine", tables)
    write_literature(tmp_path / "mine.h5", data)
    back = read_features(tmp_path / "mine.h5")
    for modality in (A, V):
        found = back.modalities[modality]
        np.testing.assert_array_equal(found.features, tables[modality].features)
        assert list(found.label) == list("101022102")
    other = FeaturesFile("mine", {A: tables[A], V: tables[V].take(np.arange(9)[::-1])})
    with pytest.raises(DataError, match="rows differ in pair"):
        write_literature(tmp_path / "x.h5", other)
    with pytest.raises(DataError, match="takes audio and visual"):
        write_literature(tmp_path / "x.h5", FeaturesFile("mine", {A: tables[A]}))
