"""Which kind of data set a path is, and its reader."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import h5py

from crossmodal.errors import DataError
from crossmodal.features import FeaturesFile, read_features
from training.datasets.ravdess import is_ravdess, read_ravdess
from training.datasets.wikipedia import is_wikipedia, read_wikipedia

MEDIA_KINDS = ("folder", "manifest")
READY: Mapping[str, Callable[[Path], FeaturesFile]] = {
    "wikipedia": read_wikipedia,
    "ravdess": read_ravdess,
    "hdf5": read_features,
}
KINDS = (*MEDIA_KINDS, *READY)


def detect(source: Path) -> str:
    """Return the kind of data set the path holds.

    Raises:
        DataError: If it is none that this build reads.
    """
    if is_wikipedia(source):
        return "wikipedia"
    if is_ravdess(source):
        return "ravdess"
    if source.is_dir():
        return "folder"
    if source.suffix.lower() in {".csv", ".json"}:
        return "manifest"
    if source.is_file() and h5py.is_hdf5(source):
        return "hdf5"
    if not source.exists():
        raise DataError(f"{source}: no such file or folder")
    raise DataError(f"{source}: not recognised; say --dataset {'|'.join(KINDS)}")
