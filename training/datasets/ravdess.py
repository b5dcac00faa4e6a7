"""RAVDESS speech: acted emotions as face action units and sound statistics.

Actors 1 to 19 train and 20 to 24 test, so that no voice or face is on both sides.

Source:
    Livingstone & Russo 2018, "The Ryerson Audio-Visual Database of Emotional Speech and
    Song"; features made by others.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from crossmodal.errors import DataError
from crossmodal.features import FeaturesFile, table
from crossmodal.modality import Modality

ARCHIVE = "ravdess_au_mfcc.npz"
FIELDS = ("audio", "visual", "label", "actor", "id")
LAST_TRAINING_ACTOR = 19
EMOTIONS = (
    "neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised"
)  # fmt: skip


def is_ravdess(source: Path) -> bool:
    """Whether the path is the data set's folder or its archive."""
    return (source / ARCHIVE).is_file() or source.name == ARCHIVE


def read_ravdess(source: Path) -> FeaturesFile:
    """Read the archive of clip features.

    Raises:
        DataError: If the archive is unreadable or a field is missing.
    """
    path = source / ARCHIVE if source.is_dir() else source
    try:
        with np.load(path, allow_pickle=False) as archive:
            fields = {field: archive[field] for field in FIELDS}
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{path}: expected an archive with {', '.join(FIELDS)}") from error
    actor = fields["actor"]
    columns = {
        "id": fields["id"],
        "label": [EMOTIONS[number] for number in fields["label"]],
        "split": np.where(actor <= LAST_TRAINING_ACTOR, "train", "test"),
        "pair": fields["id"],
        "group": [f"actor{number:02d}" for number in actor],
    }
    return FeaturesFile(
        "ravdess",
        {m: table(fields[m.value], **columns) for m in (Modality.AUDIO, Modality.VISUAL)},
    )
