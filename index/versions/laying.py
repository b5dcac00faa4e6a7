"""Laying: a bundle is put beside the one that a data directory serves."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from crossmodal.bundle import Bundle
from crossmodal.durable import sync_directory
from crossmodal.errors import ModelMismatchError
from index.build import copy_bundle
from index.storage.database import check_data_directory
from index.storage.lock import laying
from index.versions.beside import BESIDE, BUNDLE, INDEX, open_beside


def lay_beside(
    directory: Path,
    bundle_dir: Path,
    reached: Callable[[str], None] = lambda point: None,
) -> Bundle:
    """Copy a bundle beside the one in use, whole or not at all, and return the copy.

    A service that holds the directory is not disturbed, and one that starts meanwhile
    leaves the draft alone. If the bundle lies there already, nothing happens.

    Args:
        directory: The data directory.
        bundle_dir: The other bundle.
        reached: Told of the points at which a test may end the process.

    Raises:
        ModelMismatchError: If the bundle is the one in use, or a third lies beside.
        BundleError: If a bundle is damaged.
        CollectionError: If it is no data directory.
    """
    check_data_directory(directory)
    bundle = Bundle.open(bundle_dir)
    if bundle.model_id == Bundle.open(directory / BUNDLE).model_id:
        raise ModelMismatchError("the data directory serves this bundle already")
    with laying(directory, wait=True):
        there = open_beside(directory)
        if there is not None:
            if there.model_id != bundle.model_id:
                raise ModelMismatchError(
                    f"{directory} has another bundle beside the one in use; remove it with "
                    "python -m index discard"
                )
            return there
        _lay(directory, bundle, reached)
    return Bundle.open(directory / BESIDE / BUNDLE)


def _lay(directory: Path, bundle: Bundle, reached: Callable[[str], None]) -> None:
    work = Path(tempfile.mkdtemp(prefix=f".{BESIDE}.", dir=directory))
    try:
        copy_bundle(bundle, work / BUNDLE)
        (work / INDEX).mkdir()
        for made in (work / BUNDLE, work / INDEX, work):
            sync_directory(made)
        work.chmod(0o755)
        reached("beside drafted")
        work.rename(directory / BESIDE)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    reached("beside laid")
    sync_directory(directory)
