"""Files that are, or are not, what a public set should be."""

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from crossmodal.features import FeaturesFile, table, write_features
from crossmodal.literature import write_literature
from crossmodal.modality import Modality
from training.datasets.findings import Level, check_file
from training.datasets.public import PUBLIC
from training.datasets.shapes import SHAPES, SetShape
from training.demo.features import Difficulty, make_features

A, V = Modality.AUDIO, Modality.VISUAL
AVE = PUBLIC["ave"].shapes
EASY = Difficulty(label_noise=0.0, modes=1, nuisance=0, factors=8)


def ave_like(name: str) -> FeaturesFile:
    return make_features(SHAPES[name], EASY)


def found(path: Path, shapes: tuple[SetShape, ...], level: Level) -> list[str]:
    return [f.text for f in check_file(path, shapes) if f.level is level]


@pytest.mark.parametrize(
    ("name", "label"), [("ave15-189", "189"), ("ave15-391", "391"), ("ave28", "402")]
)
@pytest.mark.parametrize("write", [write_features, write_literature])
def test_each_cut_of_ave_is_recognised_by_its_sizes(
    tmp_path: Path, name: str, label: str, write: object
) -> None:
    write(tmp_path / "f.h5", ave_like(name))  # type: ignore[operator]
    assert not found(tmp_path / "f.h5", AVE, Level.PROBLEM)
    fine = found(tmp_path / "f.h5", AVE, Level.OK)
    assert any(f"{label} test items: the sizes of {name}" in text for text in fine)


def test_ave28_is_not_taken_for_ave15(tmp_path: Path) -> None:
    data = ave_like("ave28")
    fifteen = list(SHAPES["ave15-391"].classes)
    kept = {m: t.take(np.isin(t.label, fifteen)) for m, t in data.modalities.items()}
    write_features(tmp_path / "f.h5", FeaturesFile("some", kept))
    problems = " ".join(found(tmp_path / "f.h5", (SHAPES["ave28"],), Level.PROBLEM))
    assert "expected 3,741 + 402 (ave28)" in problems
    assert "15 classes; ave28 has 28: AVE-15 is a choice of 15" in problems


def test_another_split_of_the_same_clips_is_told_from_another_set(tmp_path: Path) -> None:
    shape = replace(SHAPES["ave15-391"], train=1_600, test=355)
    write_features(tmp_path / "f.h5", make_features(shape, EASY))
    assert (
        "1,600 train + 355 test items; expected"
        in found(tmp_path / "f.h5", AVE, Level.PROBLEM)[0]
    )
    assert "another split of the same clips" in found(tmp_path / "f.h5", AVE, Level.NOTE)[0]
    write_features(tmp_path / "g.h5", ave_like("ave15-189"))
    notes = found(tmp_path / "g.h5", (SHAPES["vegas"],), Level.NOTE)
    assert "these are the sizes of ave15-189" in notes


def test_width_of_another_front_end_is_named(tmp_path: Path) -> None:
    shape = replace(SHAPES["ave15-189"], dims={A: 128, V: 512})
    write_features(tmp_path / "f.h5", make_features(shape, EASY))
    problems = found(tmp_path / "f.h5", AVE[:1], Level.PROBLEM)
    assert problems == [
        "visual features are 512 wide (VGG-19 pictures, as one paper's text (not its "
        "tables) has it); ave15-189 has 1024"
    ]


def test_a_modality_that_the_set_lacks_is_named(tmp_path: Path) -> None:
    shape = replace(SHAPES["ave15-189"], dims={A: 128})
    write_features(tmp_path / "f.h5", ave_like("ave15-189"))
    (problem,) = found(tmp_path / "f.h5", (shape,), Level.PROBLEM)
    assert problem.startswith("visual features are 1024 wide")
    assert problem.endswith("; ave15-189 has none")


def test_missing_modality_is_named(tmp_path: Path) -> None:
    data = ave_like("ave15-189")
    write_features(tmp_path / "f.h5", FeaturesFile("some", {A: data.modalities[A]}))
    problems = found(tmp_path / "f.h5", AVE[:1], Level.PROBLEM)
    assert problems == ["no visual features; ave15-189 has them"]


def scaled(data: FeaturesFile, *, with_test: bool) -> FeaturesFile:
    tables = {}
    for modality, rows in data.modalities.items():
        fitted = rows.features if with_test else rows.features[rows.split == "train"]
        low, high = fitted.min(axis=0), fitted.max(axis=0)
        tables[modality] = replace(rows, features=(rows.features - low) / (high - low))
    return FeaturesFile(data.name, tables)


def test_scaling_is_a_problem_only_if_test_rows_took_part(tmp_path: Path) -> None:
    write_features(tmp_path / "f.h5", scaled(ave_like("ave15-391"), with_test=True))
    problems = found(tmp_path / "f.h5", AVE, Level.PROBLEM)
    assert len(problems) == 2
    assert all("min-max scaled fitted on train and test together" in p for p in problems)
    write_features(tmp_path / "g.h5", scaled(ave_like("ave15-391"), with_test=False))
    assert not found(tmp_path / "g.h5", AVE, Level.PROBLEM)
    notes = found(tmp_path / "g.h5", AVE, Level.NOTE)
    assert sum("fitted on train: harmless" in note for note in notes) == 2


@pytest.mark.parametrize(("copies", "level"), [(3, Level.NOTE), (50, Level.PROBLEM)])
def test_test_rows_that_were_trained_on_are_counted(
    tmp_path: Path, copies: int, level: Level
) -> None:
    data = ave_like("ave15-391")
    features = data.modalities[A].features.copy()
    features[1564 : 1564 + copies] = features[:copies]
    rows = replace(data.modalities[A], features=features)
    spoiled = FeaturesFile("some", {A: rows, V: data.modalities[V]})
    write_features(tmp_path / "f.h5", spoiled)
    expected = f"audio: {copies} test rows equal a training row bit for bit"
    assert expected in found(tmp_path / "f.h5", AVE, level)


def test_order_norms_and_dead_columns_are_noted(tmp_path: Path) -> None:
    data = ave_like("ave15-391")
    order = np.argsort(data.modalities[A].label, kind="stable")
    audio, visual = (data.modalities[m].take(order) for m in (A, V))
    unit = audio.features / np.linalg.norm(audio.features, axis=1, keepdims=True)
    dead = visual.features.copy()
    dead[:, :7] = 0
    tables = {A: replace(audio, features=unit), V: replace(visual, features=dead)}
    write_features(tmp_path / "f.h5", FeaturesFile("some", tables))
    notes = " ".join(found(tmp_path / "f.h5", AVE, Level.NOTE))
    assert "audio rows have unit norm already" in notes
    assert "visual: 7 columns never vary" in notes
    assert "sorted by class" in notes


def test_quantized_and_sequence_features_are_noted(tmp_path: Path) -> None:
    shape = SHAPES["ave15-391"]
    rng = np.random.default_rng(0)
    with h5py.File(tmp_path / "f.h5", "w") as file:
        for split, count in (("train", shape.train), ("test", shape.test)):
            rows = rng.integers(0, 256, (count, 3, 128), dtype=np.uint8)
            file[f"audio_{split}"] = rows
            file[f"visual_{split}"] = rng.random((count, 1024), dtype=np.float32)
            file[f"lab_{split}"] = np.arange(count) % 15
    notes = " ".join(found(tmp_path / "f.h5", AVE, Level.NOTE))
    assert "audio_test, audio_train: quantized to uint8, read by the YouTube-8M" in notes
    assert "audio features are sequences" in notes
    assert "audio features are 3 steps of 128" in found(tmp_path / "f.h5", AVE, Level.OK)


def test_unreadable_file_is_its_one_problem(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "f.h5", "w") as file:
        file["lab_train"] = np.zeros(3)
    (only,) = check_file(tmp_path / "f.h5", AVE)
    assert only.level is Level.PROBLEM
    assert only.text.startswith(f"{tmp_path / 'f.h5'}: field lab_test: is missing; every")
    (gone,) = check_file(tmp_path / "gone.h5", AVE)
    assert "no such file" in gone.text
    (folder,) = check_file(tmp_path, AVE)
    assert "is no features file but a folder" in folder.text


def test_every_public_set_says_what_it_should_look_like_and_how_to_use_it() -> None:
    for name, public in PUBLIC.items():
        assert public.name == name
        assert public.shapes
        assert public.files or public.places
        assert public.usage.startswith("python -m training ")
        for file in public.files:
            assert file.url.startswith("https://")
            assert len(file.sha256) == 64
    assert len(SHAPES["ave28"].classes) == 28
    assert len(set(SHAPES["ave28"].classes)) == 28
    assert SHAPES["ave15-189"].items == SHAPES["ave15-391"].items == 1_955
    assert SHAPES["ave28"].items == 4_143
    assert SHAPES["vegas"].items == 28_103


def test_table_without_labels_is_not_called_a_class(tmp_path: Path) -> None:
    rows = table(np.eye(4, dtype=np.float32), id="abcd", split=["train"] * 3 + ["test"])
    write_features(tmp_path / "f.h5", FeaturesFile("some", {A: rows, V: rows}))
    assert any("0 classes" in p for p in found(tmp_path / "f.h5", AVE, Level.PROBLEM))
