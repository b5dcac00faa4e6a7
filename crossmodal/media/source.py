"""Source: opens a file, or holds bytes, as a descriptor that a child can be given."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from crossmodal.errors import MediaTooBigError, UndecodableError


@contextmanager
def open_source(source: bytes | Path, max_bytes: int) -> Iterator[int]:
    """Give a descriptor open for reading; neither name nor extension goes with it.

    Raises:
        UndecodableError: If the source is empty, or cannot be opened, or is no file.
        MediaTooBigError: If it has more bytes than allowed.
    """
    if isinstance(source, bytes):
        check_size(len(source), max_bytes)
        descriptor = _hold(source)
    else:
        descriptor = _open(source)
    try:
        check_size(os.fstat(descriptor).st_size, max_bytes)
        yield descriptor
    finally:
        os.close(descriptor)


def check_size(size: int, max_bytes: int) -> None:
    """Check the number of bytes of a file.

    Raises:
        UndecodableError: If there are none.
        MediaTooBigError: If there are more than allowed.
    """
    if not size:
        raise UndecodableError("the file is empty")
    if size > max_bytes:
        raise MediaTooBigError(f"the file has more than {max_bytes} bytes")


def _hold(content: bytes) -> int:
    """Return a descriptor of an unnamed file in memory, or on disk where there is none."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("media", os.MFD_CLOEXEC)
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
    return descriptor


def _open(path: Path) -> int:
    try:
        # Not to wait for the other end of a named pipe.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise UndecodableError(f"the file cannot be opened: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise UndecodableError("the file is not a regular file")
    return descriptor
