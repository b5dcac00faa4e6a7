"""The locks of a data directory: one writer or any number of readers, and one layer."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from crossmodal.errors import CollectionError, CollectionLockedError

LOCK = "LOCK"
LAYING = "LAYING"  # held while a bundle is laid beside, which needs no LOCK


class DirectoryLock:
    """Holds a data directory from construction until `release`.

    The kernel releases it when the process ends, however that happens.
    """

    def __init__(self, directory: Path, *, write: bool) -> None:
        """Take the lock without waiting.

        Args:
            directory: The data directory; its lock file is made if absent.
            write: Whether to hold it alone.

        Raises:
            CollectionLockedError: If another process holds it.
            CollectionError: If the directory is missing or not to be locked.
        """
        path = directory / LOCK
        try:
            self._handle = _open(path, write=write)
        except OSError as error:
            raise CollectionError(
                f"{directory}: cannot open {LOCK}: {error.strerror}"
            ) from None
        try:
            fcntl.flock(
                self._handle, (fcntl.LOCK_EX if write else fcntl.LOCK_SH) | fcntl.LOCK_NB
            )
        except OSError as error:
            os.close(self._handle)
            if error.errno != errno.EWOULDBLOCK:
                raise CollectionError(f"{directory}: {LOCK}: {error.strerror}") from None
            raise CollectionLockedError(
                f"{directory} is in use by another process; stop that process first, or "
                "let it do the work where a command has --served"
            ) from None

    def release(self) -> None:
        """Give the lock back; doing so twice does not matter."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


@contextmanager
def laying(directory: Path, *, wait: bool) -> Iterator[bool]:
    """Hold what a laying holds, and tell whether it is held.

    Args:
        directory: The data directory.
        wait: Whether to wait while another holds it; it is not held otherwise.
    """
    handle = _open(directory / LAYING, write=True)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            held = True
        except BlockingIOError:
            held = False
        yield held
    finally:
        os.close(handle)


def _open(path: Path, *, write: bool) -> int:
    flags = os.O_CLOEXEC | (os.O_RDWR | os.O_CREAT if write else os.O_RDONLY)
    try:
        return os.open(path, flags, 0o644)
    except FileNotFoundError:
        return os.open(path, os.O_CLOEXEC | os.O_RDWR | os.O_CREAT, 0o644)
