"""Durable files: written aside, synced, then renamed, so that none is ever half there."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

Result = TypeVar("Result")


def sha256_file(path: Path) -> str:
    """Return the file's sha256 as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync_directory(directory: Path) -> None:
    """Make renames and new names in the directory survive a power cut."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_bytes(path: Path, content: bytes) -> None:
    """Write the whole file in one step: readers see the old content or the new."""
    write_parts(path, lambda write: write(content))


def write_parts(
    path: Path, produce: Callable[[Callable[[bytes], object]], Result]
) -> Result:
    """Write a file in one step, as `write_bytes` does, from parts that need not fit memory.

    Args:
        path: The file.
        produce: Is given what writes a part, and whose result is returned.
    """
    draft = path.with_name(path.name + ".new")
    try:
        with draft.open("wb") as file:
            result = produce(file.write)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)  # on a full disk its space is needed
        raise
    sync_directory(path.parent)
    return result


def write_json(path: Path, value: Any) -> None:
    """Write a JSON value in one step, with stable layout and key order as given."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    write_bytes(path, (text + "\n").encode())
