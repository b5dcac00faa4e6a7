"""Gathering: searches that come while others run are then run together.

To hand a search to a thread and its hits back costs half of what a search takes, and each
time the two wait for each other. A search that comes alone waits for nothing. Every second
core runs searches; the event loop and what else the service does have the others.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

from index.views.ranking import Hit
from service.searching.ranking import Search, search, search_alike

MOST = 4  # at once: while they run, the event loop reads and answers the others


class Found(NamedTuple):
    """The hits of a search, and how long it took with those it was run with."""

    hits: list[Hit]
    took_ms: float


Waiting = tuple[Search, "asyncio.Future[Found]"]


class Gathering:
    """Runs searches of a collection; used from the event loop only."""

    def __init__(self, threads: int | None = None) -> None:
        """Start no thread before there is something to search.

        Args:
            threads: How many groups run at once; one per two cores if not given.
        """
        self._free = threads or max(1, len(os.sched_getaffinity(0)) // 2)
        self._threads = ThreadPoolExecutor(self._free, thread_name_prefix="gathered")
        self._waiting: list[Waiting] = []
        self._closed = False

    async def hits(self, one: Search) -> Found:
        """Return the hits of a search, best first.

        Raises:
            ProblemError: If a confidence is asked for that the model does not have.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Found] = loop.create_future()
        self._waiting.append((one, future))
        if self._free:
            self._free -= 1
            loop.call_soon(self._start, loop)  # after whatever else has come by now
        return await future

    def close(self) -> None:
        """Cancel what waits, and whatever comes."""
        self._closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._cancel(self._waiting)
        self._waiting = []

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        together, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
        if not together or self._closed:
            self._free += 1
            self._cancel(together)
            return
        running = loop.run_in_executor(
            self._threads, run_together, [one for one, _ in together]
        )
        running.add_done_callback(partial(self._finish, loop, together))

    def _finish(
        self,
        loop: asyncio.AbstractEventLoop,
        together: Sequence[Waiting],
        done: asyncio.Future[list[Found | Exception]],
    ) -> None:
        self._start(loop)  # before the answers, so that its thread need not wait
        if done.cancelled():
            self._cancel(together)
            return
        for (_, future), found in zip(together, done.result(), strict=True):
            if future.done():  # whoever asked is gone
                continue
            if isinstance(found, Exception):
                future.set_exception(found)
            else:
                future.set_result(found)

    def _cancel(self, waiting: Sequence[Waiting]) -> None:
        for _, future in waiting:
            future.cancel()


def run_together(searches: Sequence[Search]) -> list[Found | Exception]:
    """Return what each search found, or the error that it met; runs in a thread."""
    alike: dict[Hashable, list[int]] = {}
    for number, one in enumerate(searches):
        alike.setdefault(one.kind or number, []).append(number)
    outcomes: dict[int, Found | Exception] = {}
    for numbers in alike.values():
        outcomes.update(zip(numbers, _run([searches[n] for n in numbers]), strict=True))
    return [outcomes[number] for number in range(len(searches))]


def _run(searches: Sequence[Search]) -> list[Found | Exception]:
    started = time.perf_counter()
    try:
        hits = [search(searches[0])] if len(searches) == 1 else search_alike(searches)
    except Exception as error:  # one search must not take the others with it
        if len(searches) == 1:
            return [error]
        return [found for one in searches for found in _run([one])]
    took_ms = 1e3 * (time.perf_counter() - started)
    return [Found(found, took_ms) for found in hits]
