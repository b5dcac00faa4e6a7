from pathlib import Path

import numpy as np
import pytest

from crossmodal.errors import ConfigError, DataError
from crossmodal.features import FeaturesFile, read_features
from crossmodal.modality import Modality
from training.__main__ import app
from training.datasets.shapes import SHAPES
from training.demo.features import Difficulty, make_features
from training.demo.steps import over_time

A, V = Modality.AUDIO, Modality.VISUAL


@pytest.fixture(scope="module")
def pooled() -> FeaturesFile:
    return make_features(SHAPES["vegas"], Difficulty(), items=120)


def test_steps_have_the_row_for_their_mean_and_zeros_follow_them(
    pooled: FeaturesFile,
) -> None:
    timed = over_time(pooled, 5)
    for modality, rows in timed.modalities.items():
        before = pooled.modalities[modality]
        assert rows.features.shape == (120, 5, before.features.shape[1])
        np.testing.assert_allclose(rows.pooled, before.features, atol=1e-5)
        assert set(rows.length.tolist()) == {2, 3, 4, 5}
        for row, length in enumerate(rows.length):
            assert np.ptp(rows.features[row, :length], axis=0).max() > 0.1
            assert not rows.features[row, length:].any()
        for column in ("id", "label", "split", "pair"):
            assert list(getattr(rows, column)) == list(getattr(before, column))
    both = (timed.modalities[m].length for m in (A, V))
    np.testing.assert_array_equal(*both)


def test_the_same_seed_makes_the_same_steps(pooled: FeaturesFile) -> None:
    first, again, other = (over_time(pooled, 4, seed=n).modalities[A] for n in (1, 1, 2))
    np.testing.assert_array_equal(first.features, again.features)
    assert (first.length != other.length).any()


@pytest.mark.parametrize("steps", [1, 101])
def test_numbers_of_steps_out_of_range_are_refused(
    pooled: FeaturesFile, steps: int
) -> None:
    with pytest.raises(ConfigError, match=f"--steps {steps}: expected 2 to 100"):
        over_time(pooled, steps)


def test_the_command_writes_a_file_that_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "f.h5"
    said = ["demo", "--features", "vegas", "--items", "98", "--steps", "3"]
    app([*said, "--out", str(path)], standalone_mode=False)
    rows = read_features(path).modalities[V]
    assert rows.features.shape == (98, 3, 1024)
    assert set(rows.length.tolist()) == {2, 3}


def test_the_literatures_layout_cannot_say_lengths(tmp_path: Path) -> None:
    said = ["demo", "--features", "vegas", "--items", "98", "--steps", "3"]
    said += ["--layout", "literature", "--out", str(tmp_path / "f.h5")]
    with pytest.raises(DataError, match="this layout cannot say how many steps"):
        app(said, standalone_mode=False)
    assert not list(tmp_path.iterdir())
