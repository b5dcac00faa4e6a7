"""The lock: two comparisons never write one directory."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from crossmodal.errors import ConfigError

LOCK = ".lock"


@contextmanager
def held(directory: Path) -> Iterator[None]:
    """Hold the directory; the system lets go of it however the process ends.

    Raises:
        ConfigError: If another process holds it.
    """
    with (directory / LOCK).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(f"{directory}: another comparison is writing here") from None
        yield
