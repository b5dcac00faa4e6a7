"""Exchange: two names of one file system change places in one step."""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path

from crossmodal.durable import sync_directory
from crossmodal.errors import CollectionError, ConfigError

_EXCHANGE = 2  # of renameat2(2): RENAME_EXCHANGE
_AT_FDCWD = -100


def exchange(first: Path, second: Path) -> None:
    """Let two files or directories change names durably, never without either.

    Raises:
        ConfigError: If the system cannot do it.
        CollectionError: If the file system cannot.
    """
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        raise ConfigError("this system cannot exchange two directories in one step")
    names = (os.fsencode(first.absolute()), os.fsencode(second.absolute()))
    if rename(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _EXCHANGE):
        code = ctypes.get_errno()
        if code == errno.EXDEV:
            raise CollectionError(f"{first} and {second} must lie on one file system")
        raise CollectionError(f"they cannot change places: {os.strerror(code)}")
    for directory in {first.parent, second.parent}:
        sync_directory(directory)
