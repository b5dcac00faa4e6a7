"""Memory: what was freed goes back to the system, so that a peak does not stay for good.

glibc keeps what was freed for what may come: up to 64 MB once large blocks were freed, in
an arena per thread. A service needs most while it opens a collection, and while it makes
index files anew.
"""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # malloc.h
_LARGE = 1 << 20  # bytes; smaller blocks come and go with every request
_ARENAS = 2


def keep_little() -> None:
    """Let this process give large blocks back as they are freed; costs no request time."""
    library = _glibc()
    if library is not None:
        library.mallopt(_MMAP_THRESHOLD, _LARGE)
        library.mallopt(_TRIM_THRESHOLD, _LARGE)
        library.mallopt(_ARENA_MAX, _ARENAS)


def give_back() -> None:
    """Give back the pages that nothing is on, also those between others; takes 10 ms."""
    library = _glibc()
    if library is not None:
        library.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    """Return the C library if it is one that keeps what was freed."""
    library = ctypes.CDLL(None)
    return library if hasattr(library, "malloc_trim") else None
