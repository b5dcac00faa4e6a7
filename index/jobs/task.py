"""A task: what long work is told, and what it must ask and tell while it goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any


class CancelledJobError(Exception):
    """Somebody asked the job to end without its result."""


class StoppedJobError(Exception):
    """The process ends; the next one goes on with the job."""


class Task:
    """A job as its work sees it."""

    def __init__(
        self,
        *,
        params: Mapping[str, Any],
        note: Callable[[int, int], None],
        cancelled: Callable[[], bool],
        stopped: Callable[[], bool],
    ) -> None:
        """Let work ask these and note how much of how much is done."""
        self.params = params
        self._note = note
        self._cancelled = cancelled
        self._stopped = stopped

    def check(self) -> None:
        """Go on, unless the work is to end here.

        Raises:
            CancelledJobError: If it was cancelled.
            StoppedJobError: If the process ends.
        """
        if self._cancelled():
            raise CancelledJobError
        if self._stopped():
            raise StoppedJobError

    def note(self, done: int, total: int) -> None:
        """Tell how much of how much is done."""
        self._note(done, total)

    @contextmanager
    def progress(self, description: str, total: int) -> Iterator[Callable[[], None]]:
        """Give what is called after each of so many steps; it also makes `check`."""
        done = 0

        def advance() -> None:
            nonlocal done
            done += 1
            self._note(done, total)
            self.check()

        self.check()
        self._note(0, total)
        yield advance
