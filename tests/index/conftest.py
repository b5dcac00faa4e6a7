from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from crossmodal.features import FeaturesFile, table, write_features
from crossmodal.modality import Modality
from index.build import build

LABELS = ("cat", "dog", "owl")
SPLITS = ("train", "test")


@pytest.fixture
def features_file(tmp_path: Path) -> Path:
    """Forty clips with sound and picture, each its own pair."""
    rng = np.random.default_rng(0)
    ids = [f"clip{number:02d}" for number in range(40)]
    columns = {
        "id": ids,
        "label": [LABELS[number % 3] for number in range(40)],
        "split": [SPLITS[number % 2] for number in range(40)],
        "pair": ids,
    }
    path = tmp_path / "features.h5"
    write_features(
        path,
        FeaturesFile(
            "made",
            {
                modality: table(rng.standard_normal((40, 6)).astype(np.float32), **columns)
                for modality in (Modality.AUDIO, Modality.VISUAL)
            },
        ),
    )
    return path


_BUILT: list[Path] = []


@pytest.fixture
def data(
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    features_file: Path,
    tiny_bundle: Callable[..., Path],
) -> Path:
    """A data directory of the features file, 8-dimensional: a copy of one built once."""
    if not _BUILT:
        original = tmp_path_factory.mktemp("built") / "data"
        build(tiny_bundle(), features_file, original, workers=1)
        _BUILT.append(original)
    shutil.copytree(_BUILT[0], tmp_path / "data")
    return tmp_path / "data"
