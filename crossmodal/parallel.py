"""Work shared among a few threads, each with a core to itself.

numpy lets go of the interpreter while it computes, so threads keep several cores busy
where its functions use one. A BLAS has threads of its own, which would fight with these;
while work is shared it keeps to one thread per caller. How many threads BLAS had before
says how many cores are this process's share: whoever starts several processes side by
side gives each one BLAS thread, and the work of each then stays on one core.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import TypeVar

from threadpoolctl import ThreadpoolController

Item = TypeVar("Item")
Found = TypeVar("Found")

MOST_THREADS = 4


def in_parallel(work: Callable[[Item], Found], items: Iterable[Item]) -> Iterator[Found]:
    """Yield what the work gives for each item, in the order of the items.

    Results wait for their turn, so no more than twice as many items as there are threads
    are in work or waiting at any time.

    Args:
        work: Is called from several threads; BLAS inside it has one thread.
        items: What to work on; are taken as threads become free.
    """
    with one_blas_thread() as share, ThreadPoolExecutor(share) as pool:
        waiting: deque[Future[Found]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) == 2 * share:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


class _Limit:
    """The limit on BLAS, which is one for the whole process, and who relies on it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.holders = 0
        self.share = 1
        self.release: Callable[[], None] = lambda: None


_LIMIT = _Limit()


@contextmanager
def one_blas_thread() -> Iterator[int]:
    """Limit BLAS to one thread until the last to ask for it is done; give the share.

    For small matrices too: threads that wait for one another turn milliseconds into
    seconds where other processes want the same cores.
    """
    with _LIMIT.lock:
        if not _LIMIT.holders:
            blas = _blas()
            threads = (library["num_threads"] for library in blas.info())
            _LIMIT.share = min(MOST_THREADS, max(threads, default=1))
            _LIMIT.release = blas.limit(limits=1).restore_original_limits
        _LIMIT.holders += 1
    try:
        yield _LIMIT.share
    finally:
        with _LIMIT.lock:
            _LIMIT.holders -= 1
            if not _LIMIT.holders:
                _LIMIT.release()


@cache
def _blas() -> ThreadpoolController:
    """Return the BLAS that numpy and scipy brought; to look for it takes milliseconds."""
    import scipy.linalg  # noqa: F401  (loads a BLAS of its own)

    return ThreadpoolController().select(user_api="blas")
