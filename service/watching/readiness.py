"""Readiness: whether the service can do its work, and if not, why, in plain words."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from enum import StrEnum

FAILURES, WINDOW_S = 5, 30.0


class Status(StrEnum):
    """How far the service is."""

    STARTING = "starting"
    READY = "ready"
    DEGRADED = "degraded"
    NOT_READY = "not-ready"


class Readiness:
    """What stands in the way, gathered at start and from failures since.

    ``blocked`` reasons make the service not ready; ``degraded`` ones take a part of it
    away, as missing front-end weights take clips but not vectors. ``index`` tells what
    is wrong with the index files at the moment, if anything, and ``writing`` why nothing
    can be written.
    """

    def __init__(self) -> None:
        """Start as not yet opened."""
        self.opened = False
        self.blocked: list[str] = []
        self.degraded: list[str] = []
        self.index: Callable[[], str | None] = lambda: None
        self.writing: Callable[[], str | None] = lambda: None
        self._failures: deque[float] = deque(maxlen=FAILURES)

    def encoder_failed(self) -> None:
        """Note that embedding failed through no fault of the input."""
        self._failures.append(time.monotonic())

    @property
    def encoder_failing(self) -> bool:
        """Whether five such failures fell into the last half minute."""
        return (
            len(self._failures) == FAILURES
            and time.monotonic() - self._failures[0] < WINDOW_S
        )

    @property
    def status(self) -> Status:
        """How far the service is now."""
        if self.blocked or self.encoder_failing:
            return Status.NOT_READY
        if not self.opened:
            return Status.STARTING
        return Status.DEGRADED if self._all_degraded else Status.READY

    @property
    def ready(self) -> bool:
        """Whether requests are welcome."""
        return self.status in (Status.READY, Status.DEGRADED)

    @property
    def reasons(self) -> list[str]:
        """Everything that stands in the way."""
        failing = ["embedding failed 5 times within 30 s"] if self.encoder_failing else []
        opening = [] if self.opened or self.blocked else ["the collection is being opened"]
        return [*self.blocked, *failing, *opening, *self._all_degraded]

    @property
    def _all_degraded(self) -> list[str]:
        now = (self.index(), self.writing())
        return [*self.degraded, *(reason for reason in now if reason is not None)]
