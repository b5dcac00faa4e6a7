"""Wikipedia articles: a picture and its text, as features made by others.

Source:
    Rasiwasia et al. 2010, "A New Approach to Cross-Modal Multimedia Retrieval":
    128 visual words and 10 topics per article, 2,173 for training and 693 for test.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.io import loadmat

from crossmodal.errors import DataError
from crossmodal.features import FeaturesFile, table
from crossmodal.modality import Modality

MATRIX = "raw_features.mat"
FIELDS = {Modality.VISUAL: "I", Modality.TEXT: "T"}
LISTS = {"train": "trainset_txt_img_cat.list", "test": "testset_txt_img_cat.list"}


def is_wikipedia(source: Path) -> bool:
    """Whether the path is the data set's folder or its matrix file."""
    return (source / MATRIX).is_file() or source.name == MATRIX


def read_wikipedia(source: Path) -> FeaturesFile:
    """Read the folder that holds ``raw_features.mat`` and the two lists.

    Raises:
        DataError: If a file or field is missing, or row counts differ.
    """
    folder = source if source.is_dir() else source.parent
    try:
        matrix = loadmat(folder / MATRIX)
        names = (folder / "categories.list").read_text().split()
        lists = {
            split: [line.split("\t") for line in (folder / file).read_text().splitlines()]
            for split, file in LISTS.items()
        }
    except (OSError, ValueError) as error:
        raise DataError(
            f"{folder}: expected {MATRIX}, categories.list, {' and '.join(LISTS.values())}"
        ) from error
    try:
        ids = [row[0] for rows in lists.values() for row in rows]
        labels = [names[int(row[2]) - 1] for rows in lists.values() for row in rows]
    except (IndexError, ValueError) as error:
        raise DataError(
            f"{folder}: the lists must hold text, image and class 1 to {len(names)}"
        ) from error
    splits = [split for split, rows in lists.items() for _ in rows]
    modalities = {}
    for modality, field in FIELDS.items():
        parts = [matrix.get(f"{field}_{split}") for split in ("tr", "te")]
        if any(part is None for part in parts):
            raise DataError(f"{folder / MATRIX}: missing field {field}_tr or {field}_te")
        features = np.concatenate(parts)
        if len(features) != len(ids):
            raise DataError(
                f"{folder / MATRIX}: {field} has {len(features)} rows, the lists {len(ids)}"
            )
        modalities[modality] = table(
            features.astype(np.float32), id=ids, label=labels, split=splits, pair=ids
        )
    return FeaturesFile("wikipedia", modalities)
