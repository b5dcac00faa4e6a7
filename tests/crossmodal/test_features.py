from pathlib import Path

import h5py
import numpy as np
import pytest

from crossmodal.errors import DataError
from crossmodal.features import FeaturesFile, read_features, table, write_features
from crossmodal.frontends.catalog import create_frontend
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


def test_padding_takes_part_in_nothing() -> None:
    timed = RNG.standard_normal((3, 4, 2)).astype(np.float32)
    rows = table(timed, id="abc", length=[4, 1, 2])
    longer = np.concatenate([timed, np.full((3, 2, 2), 9, np.float32)], axis=1)
    for found in (rows, table(longer, id="abc", length=[4, 1, 2])):
        for row, length in enumerate([4, 1, 2]):
            np.testing.assert_array_equal(found.item(row), timed[row, :length])
            by_hand = timed[row, :length].astype(np.float64).mean(axis=0)
            np.testing.assert_allclose(found.pooled[row], by_hand, atol=1e-6)
            sequences = found.sequences("all")
            assert sequences is not None
            np.testing.assert_array_equal(sequences[row, :length], timed[row, :length])
            assert np.isnan(sequences[row, length:]).all()
    np.testing.assert_array_equal(longer[0, 4:], 9)  # the caller's array is its own
    assert table(timed[:, 0], id="abc").sequences("all") is None
    halves = table(longer, id="abc", length=[4, 1, 2], split=["val", "train", "val"])
    of_val = halves.sequences("val")
    assert of_val is not None
    np.testing.assert_array_equal(np.isnan(of_val[:, :, 0]).sum(axis=1), [2, 4])


def test_lengths_come_back_and_without_any_every_step_counts(tmp_path: Path) -> None:
    timed = RNG.standard_normal((3, 4, 2)).astype(np.float32)
    rows = table(timed, id="abc", length=[4, 1, 2])
    write_features(tmp_path / "f.h5", FeaturesFile("mine", {Modality.AUDIO: rows}))
    back = read_features(tmp_path / "f.h5").modalities[Modality.AUDIO]
    assert back.length.tolist() == [4, 1, 2]
    assert back.take(np.array([2, 0])).length.tolist() == [2, 4]
    with h5py.File(tmp_path / "f.h5", "a") as file:
        del file["audio/length"]
    whole = read_features(tmp_path / "f.h5").modalities[Modality.AUDIO]
    assert whole.length.tolist() == [4, 4, 4]
    np.testing.assert_array_equal(whole.sequences("all"), timed)


@pytest.mark.parametrize(
    ("length", "message"),
    [
        ([4, 5, 1], "field audio/length: row 1 is 5; expected 1 to 4"),
        ([0, 1, 1], "field audio/length: row 0 is 0; expected 1 to 4"),
        ([1, 1], "field audio/length: has 2 rows, audio/features 3; row i"),
        ([1.0, 1.0, 1.0], r"field audio/length: .*; expected one column of whole numbers"),
    ],
)
def test_lengths_that_cannot_be_are_refused(
    tmp_path: Path, length: list[float], message: str
) -> None:
    rows = table(np.ones((3, 4, 2), np.float32), id="abc")
    write_features(tmp_path / "f.h5", FeaturesFile("mine", {Modality.AUDIO: rows}))
    with h5py.File(tmp_path / "f.h5", "a") as file:
        del file["audio/length"]
        file["audio/length"] = length
    with pytest.raises(DataError, match=message):
        read_features(tmp_path / "f.h5")


def test_steps_of_a_front_end_are_pooled_by_it() -> None:
    frontend = create_frontend("logmel")
    steps = RNG.random((2, 30, frontend.spec.dim)).astype(np.float32)
    rows = table(steps, id="ab", length=[30, 12], frontend=frontend.spec)
    assert rows.pooled.shape == (2, frontend.spec.pooled_dim)
    np.testing.assert_array_equal(rows.pooled[0], frontend.pool(steps[0]))
    np.testing.assert_array_equal(rows.pooled[1], frontend.pool(steps[1, :12]))


def ours(path: Path, **changes: object) -> Path:
    content: dict[str, object] = {
        "features": np.ones((3, 2)),
        "id": ["a", "b", "c"],
        "label": ["x", "y", "x"],
        "split": ["train", "train", "test"],
    } | changes
    with h5py.File(path, "w") as file:
        group = file.create_group("audio")
        for key, value in content.items():
            if value is not None:
                group[key] = value
    return path


def test_columns_of_whole_numbers_are_names_too(tmp_path: Path) -> None:
    path = ours(tmp_path / "n.h5", id=np.array([7, 8, 9]), label=np.array([1, 0, 1]))
    rows = read_features(path).modalities[Modality.AUDIO]
    assert list(rows.id) == ["7", "8", "9"]
    assert list(rows.label) == ["1", "0", "1"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"id": None}, "audio/id: is missing; every file"),
        (
            {"features": np.ones(3)},
            r"audio/features: has shape \(3,\); expected \(items, dim\)",
        ),
        (
            {"features": np.ones((0, 2))},
            r"audio/features: is empty, \(0, 2\); expected rows",
        ),
        (
            {"features": np.array([["x"]] * 3, "S1")},
            r"audio/features: holds \|S1; expected numbers",
        ),
        (
            {"features": np.full((3, 2), np.inf)},
            "audio/features: row 0 is not finite .*; compute that row",
        ),
        (
            {"features": h5py.ExternalLink("/etc/x.h5", "/x")},
            "audio/features: is a link; store the data",
        ),
        ({"label": ["x", "y"]}, "audio/label: has 2 rows, audio/features 3; row i"),
        (
            {"label": np.array([0.5, 1, 2])},
            "audio/label: holds float64; expected text or whole",
        ),
        (
            {"label": np.ones((3, 2), int)},
            r"audio/label: has shape \(3, 2\); expected one column",
        ),
        ({"split": ["train", "dev", "test"]}, "audio/split: holds 'dev'; expected train"),
        ({"start": ["0", "1", "2"]}, r"audio/start: .*; expected one column of seconds"),
    ],
)
def test_bad_file_of_our_layout_is_one_error_that_names_file_and_field(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(DataError, match=f"bad.h5: field {message}") as error:
        read_features(ours(tmp_path / "bad.h5", **changes))
    assert "\n" not in str(error.value)


def test_attributes_that_this_build_cannot_read_are_named(tmp_path: Path) -> None:
    path = ours(tmp_path / "bad.h5")
    with h5py.File(path, "a") as file:
        file["audio"].attrs["frontend"] = "{}"
    with pytest.raises(DataError, match=r"attribute audio\.frontend: is no front end's"):
        read_features(path)
    with h5py.File(path, "a") as file:
        file.attrs["format"] = 9
    with pytest.raises(DataError, match="attribute format: is 9; this build reads 1"):
        read_features(path)


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.h5").write_text("no")
    with pytest.raises(DataError, match="not a readable HDF5"):
        read_features(tmp_path / "text.h5")
    with h5py.File(tmp_path / "odd.h5", "w") as file:
        file["x"] = np.zeros(3)
    with pytest.raises(DataError, match="field x: belongs to no known layout; expected"):
        read_features(tmp_path / "odd.h5")
    with h5py.File(tmp_path / "odd.h5", "w") as file:
        file.create_group("smell")["features"] = np.zeros((3, 2))
    with pytest.raises(DataError, match=r"odd.h5: field smell: is no modality; unknown"):
        read_features(tmp_path / "odd.h5")
