"""Switching: two data directories change places in one step.

There is no moment without a whole one under either name. Changing places again goes back,
to what was there then.
"""

from __future__ import annotations

import ctypes
import errno
import os
from contextlib import ExitStack
from pathlib import Path

from crossmodal.bundle import Bundle
from crossmodal.durable import sync_directory
from crossmodal.errors import CollectionError, ConfigError
from index.collection import BUNDLE
from index.database import DATABASE
from index.lock import DirectoryLock
from index.origin import read_origin
from index.store import Store

_EXCHANGE = 2  # of renameat2(2): RENAME_EXCHANGE
_AT_FDCWD = -100


def switch(directory: Path, generation: Path, *, partial: bool = False) -> None:
    """Let a generation and the directory in use change places, in one step.

    Args:
        directory: The data directory in use, which no process may hold.
        generation: What `catch_up` made, or what was in use before another switch.
        partial: Whether items may be missing from what comes into use, as when going
            back to an older generation.

    Raises:
        CollectionLockedError: If a process holds one of them.
        CollectionError: If something is left to catch up with, or the file system
            cannot exchange two names.
    """
    with ExitStack() as held:
        for path in (directory, generation):
            if not (path / DATABASE).is_file():
                raise CollectionError(f"{path} is no data directory: it has no {DATABASE}")
            lock = DirectoryLock(path, write=True)
            held.callback(lock.release)
        if not partial:
            _check_caught_up(directory, generation)
        _exchange(directory, generation)
        sync_directory(directory.parent)
        sync_directory(generation.parent)


def _check_caught_up(directory: Path, generation: Path) -> None:
    with ExitStack() as opened:
        stores = []
        for path in (directory, generation):
            store = Store.open(path / DATABASE, write=False)
            opened.callback(store.close)
            stores.append(store)
        old, new = stores
        missing = {row.id for row in old.items()} - {row.id for row in new.items()}
        origin = read_origin(generation)
        model = Bundle.open(directory / BUNDLE).model_id
        if origin is None or origin.model_id != model or origin.seq < old.seq or missing:
            raise CollectionError(
                f"{generation} lacks what was written to {directory} since, or "
                f"{len(missing)} items that could not be embedded; catch up first, or "
                "say that it may be partial"
            )


def _exchange(first: Path, second: Path) -> None:
    """Exchange two names of one file system, in one step."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        raise ConfigError("this system cannot exchange two directories in one step")
    names = (os.fsencode(first.absolute()), os.fsencode(second.absolute()))
    if rename(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _EXCHANGE):
        code = ctypes.get_errno()
        if code == errno.EXDEV:
            raise CollectionError(f"{first} and {second} must lie on one file system")
        raise CollectionError(f"they cannot change places: {os.strerror(code)}")
