from pathlib import Path

import h5py
import numpy as np
import pytest

from crossmodal.errors import DataError
from crossmodal.features import FeaturesFile, read_features, table, write_features
from crossmodal.frontends.frontend import FrontEndSpec
from crossmodal.modality import Modality

RNG = np.random.default_rng(5)
SPEC = FrontEndSpec(
    name="some",
    version=1,
    modality=Modality.AUDIO,
    dim=3,
    pooled_dim=3,
    step_s=0.5,
    settings={"bands": 3},
    weights_sha256="ab",
)


def literature_file(path: Path, **changes: object) -> Path:
    content: dict[str, object] = {
        "audio_train": RNG.standard_normal((6, 4)),
        "visual_train": RNG.standard_normal((6, 5)),
        "lab_train": np.eye(3)[[0, 0, 1, 1, 2, 2]],
        "audio_test": RNG.standard_normal((3, 4)),
        "visual_test": RNG.standard_normal((3, 5)),
        "lab_test": np.eye(3)[[0, 1, 2]],
    } | changes
    with h5py.File(path, "w") as file:
        for key, value in content.items():
            if value is not None:
                file[key] = value
    return path


def test_our_layout_reads_back_as_it_was_written(tmp_path: Path) -> None:
    features = RNG.standard_normal((2, 3)).astype(np.float32)
    audio = table(
        features,
        id=["a", "b"],
        label=["cat", "dög"],
        split=["train", "test"],
        pair=["p", ""],
        group=["g1", "g2"],
        start=[0, 1.5],
        end=[np.nan, 3],
        frontend=SPEC,
    )
    timed = table(RNG.standard_normal((1, 4, 2)).astype(np.float32), id=["c"])
    written = FeaturesFile("mine", {Modality.AUDIO: audio, Modality.TEXT: timed})
    write_features(tmp_path / "f.h5", written)
    back = read_features(tmp_path / "f.h5")
    assert back.name == "mine"
    assert list(back.modalities) == [Modality.AUDIO, Modality.TEXT]
    found = back.modalities[Modality.AUDIO]
    np.testing.assert_array_equal(found.features, features)
    for column in ("id", "label", "split", "pair", "group"):
        assert list(getattr(found, column)) == list(getattr(audio, column))
    np.testing.assert_array_equal(found.start, [0, 1.5])
    np.testing.assert_array_equal(found.end, [np.nan, 3])
    assert found.frontend == SPEC
    assert back.modalities[Modality.TEXT].frontend is None


def test_pooled_rows_are_the_means_over_time() -> None:
    timed = RNG.standard_normal((3, 7, 2)).astype(np.float32)
    by_hand = [[sum(step[d] for step in item) / 7 for d in range(2)] for item in timed]
    np.testing.assert_allclose(table(timed, id="abc").pooled, by_hand, atol=1e-6)


@pytest.mark.parametrize(
    "labels",
    [
        np.eye(3)[[0, 0, 1, 1, 2, 2]],
        np.array([0, 0, 1, 1, 2, 2]),
        np.array([[1.0], [1], [2], [2], [3], [3]]),
    ],
)
def test_literature_layout_gives_pairs_and_class_numbers(
    tmp_path: Path, labels: np.ndarray
) -> None:
    test_labels = labels[[0, 2, 4]]
    path = literature_file(tmp_path / "l.h5", lab_train=labels, lab_test=test_labels)
    data = read_features(path)
    for modality in (Modality.AUDIO, Modality.VISUAL):
        rows = data.modalities[modality]
        assert list(rows.label) == list("001122012")
        assert list(rows.split) == ["train"] * 6 + ["test"] * 3
        assert list(rows.pair) == list(rows.id)
    assert len(data.of_split("test").modalities[Modality.AUDIO]) == 3


def test_quantised_features_are_dequantised(tmp_path: Path) -> None:
    quantised = np.array([[0, 255]] * 6, dtype=np.uint8)
    path = literature_file(
        tmp_path / "q.h5", audio_train=quantised, audio_test=quantised[:3]
    )
    audio = read_features(path).modalities[Modality.AUDIO].features
    np.testing.assert_allclose(audio[0], [-1.9921875, 2.0078125], atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lab_test": None}, "missing field lab_test"),
        ({"visual_train": None}, "missing field visual_train"),
        ({"audio_train": RNG.standard_normal((5, 4))}, "audio_train has 5 rows"),
        ({"audio_test": RNG.standard_normal((3, 9))}, "differ in shape"),
        ({"audio_test": np.full((3, 4), np.nan)}, "audio_test: row 0 is not finite"),
        ({"lab_train": np.array([0, 0.5, 1, 1, 2, 2])}, "lab_train must hold class"),
        ({"lab_train": np.ones((6, 3))}, "not one-hot"),
        ({"lab_train": np.array([0, -1, 1, 1, 2, 2])}, "lab_train must hold class"),
        ({"audio_train": np.zeros(6)}, "2 or 3 dimensions"),
    ],
)
def test_bad_file_is_refused_by_file_and_field(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    path = literature_file(tmp_path / "bad.h5", **changes)
    with pytest.raises(DataError, match=f"bad.h5.*{message}"):
        read_features(path)


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.h5").write_text("no")
    with pytest.raises(DataError, match="not a readable HDF5"):
        read_features(tmp_path / "text.h5")
    with h5py.File(tmp_path / "odd.h5", "w") as file:
        file["x"] = np.zeros(3)
    with pytest.raises(DataError, match="field 'x' is neither"):
        read_features(tmp_path / "odd.h5")
