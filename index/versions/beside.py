"""Beside: another bundle in a data directory, and the index files of its vectors.

The database holds vectors of both models; which of them is served is told by ``bundle/``
alone. Changing over exchanges ``bundle/`` and ``beside/bundle/`` by one step of the file
system: before it one model is served, after it the other, and a process that is killed
at any moment leaves either. Index files follow; until they have, `settle` knows why.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from crossmodal.bundle import MANIFEST, Bundle
from crossmodal.durable import sha256_file, sync_directory
from crossmodal.errors import CollectionError
from index.storage.exchange import exchange
from index.storage.lock import laying
from index.views.manifest import CURRENT, read_manifest

BUNDLE, INDEX = "bundle", "index"
BESIDE = "beside"
GONE = f".{BESIDE}-gone"  # what is being removed
USED = "used"  # there once what lies beside was served, or is about to have been


def open_beside(directory: Path) -> Bundle | None:
    """Return the bundle beside the one that a data directory serves; None without one.

    Raises:
        BundleError: If it is damaged.
    """
    place = directory / BESIDE / BUNDLE
    return Bundle.open(place) if place.is_dir() else None


def beside_id(directory: Path) -> str | None:
    """Return the model id of the bundle beside, damaged or not; None without one."""
    return _model_id(directory / BESIDE / BUNDLE)


def copy_beside(directory: Path, copy: Path) -> None:
    """Copy the bundle beside to another data directory, if there is one."""
    beside = directory / BESIDE
    if (beside / BUNDLE).is_dir():
        shutil.copytree(beside / BUNDLE, copy / BESIDE / BUNDLE)
        (copy / BESIDE / INDEX).mkdir()
        if was_used(directory):
            (copy / BESIDE / USED).touch()


def was_used(directory: Path) -> bool:
    """Tell whether what lies beside was served before: one can go back to it."""
    return (directory / BESIDE / USED).exists()


def change_over(
    directory: Path, reached: Callable[[str], None] = lambda point: None
) -> None:
    """Let the bundle beside and the one that is served change places, durably.

    Raises:
        CollectionError: If the file system cannot exchange two names.
    """
    beside = directory / BESIDE
    (beside / USED).touch()
    sync_directory(beside)
    reached("before exchange")
    exchange(directory / BUNDLE, beside / BUNDLE)
    reached("bundles exchanged")
    settle(directory)
    reached("index exchanged")


def settle(directory: Path) -> None:
    """Let index files follow their bundle, if a change was interrupted before that.

    Also delete what an interrupted laying or removal left.
    """
    for gone in directory.glob(f"{GONE}.*"):
        shutil.rmtree(gone)
    _delete_drafts(directory)
    beside = directory / BESIDE / INDEX
    if not beside.is_dir():
        return
    served = _model_id(directory / BUNDLE)
    if _model_of(beside) == served != _model_of(directory / INDEX):
        exchange(directory / INDEX, beside)


def _delete_drafts(directory: Path) -> None:
    """Delete drafts, unless one may be under way in a process without LOCK."""
    if any(directory.glob(f".{BESIDE}.*")):
        with laying(directory, wait=False) as alone:
            if alone:
                for draft in directory.glob(f".{BESIDE}.*"):
                    shutil.rmtree(draft)


def remove_beside(
    directory: Path, reached: Callable[[str], None] = lambda point: None
) -> None:
    """Remove the bundle and the index files beside; nothing happens without any."""
    beside = directory / BESIDE
    if beside.is_dir():
        gone = directory / f"{GONE}.{os.getpid()}"
        beside.rename(gone)
        sync_directory(directory)
        reached("beside put away")
        shutil.rmtree(gone)


def _model_id(bundle: Path) -> str | None:
    manifest = bundle / MANIFEST
    return sha256_file(manifest) if manifest.is_file() else None


def _model_of(index: Path) -> str | None:
    try:
        return read_manifest(index).model_id
    except (FileNotFoundError, CollectionError):
        return None


def has_index(directory: Path, model_id: str) -> bool:
    """Tell whether index files of a model lie beside."""
    index = directory / BESIDE / INDEX
    return (index / CURRENT).exists() and _model_of(index) == model_id
