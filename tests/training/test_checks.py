"""Bad files give one error that names the file and the field."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from crossmodal.errors import DataError
from crossmodal.features import FeaturesFile, read_features, table, write_features
from crossmodal.modality import Modality
from training.checks import check_training_file
from training.compare.source import Source
from training.run import FitRequest, fit

A, V = Modality.AUDIO, Modality.VISUAL
ROWS = 24


def made(**columns: object) -> FeaturesFile:
    """Twelve training and twelve test rows of two classes; columns replace those."""
    rng = np.random.default_rng(0)
    content: dict[str, object] = {
        "id": [f"i{n}" for n in range(ROWS)],
        "label": ["cat", "dog"] * (ROWS // 2),
        "split": ["train"] * 12 + ["test"] * 12,
        "pair": [f"p{n}" for n in range(ROWS)],
    }
    tables = {}
    for modality in (A, V):
        features = rng.standard_normal((ROWS, 5)).astype(np.float32)
        tables[modality] = table(features, **(content | columns))  # type: ignore[arg-type]
    return FeaturesFile("made", tables)


def fit_on(data: FeaturesFile, folder: Path, **overrides: str) -> None:
    path = folder / "features.h5"
    write_features(path, data)
    request = FitRequest(data=path, method="cca", overrides=overrides)
    fit(request, read_features(path), folder / "run", lambda values: None)


BAD = {
    "one class": (
        {"label": ["dog"] * ROWS},
        r"features\.h5: field audio/label \(lab_train\): every .* one class \('dog'\); exp",
    ),
    "class unknown to training": (
        {"label": ["cat", "dog"] * 6 + ["cat", "owl"] * 6},
        r"features\.h5: field audio/label \(lab_test\): test has .* 'owl', .* are cat, dog",
    ),
    "id in train and test": (
        {"id": [f"i{n % 18}" for n in range(ROWS)]},
        r"features\.h5: field audio/id: 'i0' is in train and in test; an item",
    ),
    "id twice in one split": (
        {"id": [f"i{n // 2}" for n in range(ROWS)]},
        r"features\.h5: field audio/id: 12 rows repeat the id of another; give",
    ),
    "pair in train and test": (
        {"pair": [f"p{n % 18}" for n in range(ROWS)]},
        r"features\.h5: field audio/pair: 'p0' has rows in train and in test; an event",
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_file_is_one_error_for_fit_and_for_compare(what: str, tmp_path: Path) -> None:
    columns, message = BAD[what]
    with pytest.raises(DataError, match=message):
        fit_on(made(**columns), tmp_path)
    with pytest.raises(DataError, match=message):
        Source(tmp_path / "features.h5").parts()


def test_the_literatures_labels_are_held_to_those_of_training(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    with h5py.File(tmp_path / "ave.h5", "w") as file:
        for split, top in (("train", 3), ("test", 5)):
            file[f"audio_{split}"] = rng.standard_normal((12, 4))
            file[f"visual_{split}"] = rng.standard_normal((12, 6))
            file[f"lab_{split}"] = np.arange(12) % top
    with pytest.raises(
        DataError, match=r"ave\.h5: field lab_test: holds class 3, which lab_train"
    ):
        Source(tmp_path / "ave.h5").parts()


def test_fewer_items_than_components_are_refused_when_fixed(tmp_path: Path) -> None:
    split = ["train"] * 4 + ["val"] * 8 + ["test"] * 12
    with pytest.raises(
        DataError,
        match=r"features\.h5: field audio/features \(audio_train\): 4 .* k=5 .*; set k",
    ):
        fit_on(made(split=split), tmp_path, k="5")
    fit_on(made(split=split), tmp_path, k="4")


def test_unlabeled_pairs_and_good_files_pass() -> None:
    check_training_file(made())
    check_training_file(made(label=[""] * ROWS))
