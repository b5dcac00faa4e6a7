"""Rates: how often one caller may ask, by a bucket per caller that refills steadily."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Hashable

MOST_CALLERS = 10_000


class Rates:
    """Lets each caller ask ``burst`` times at once and ``per_s`` times a second.

    The generic cell rate algorithm (ITU-T I.371): one number per caller, the moment at
    which its bucket is full again. Beyond 10,000 callers the longest silent is forgotten,
    which forgives it and holds the memory.
    """

    def __init__(self, per_s: float, burst: int) -> None:
        """Begin with every bucket full; a rate of 0 sets no limit."""
        self._interval_s = 1 / per_s if per_s else 0.0
        self._tolerance_s = max(0, burst - 1) * self._interval_s
        self._full_at: OrderedDict[Hashable, float] = OrderedDict()

    def take(self, caller: Hashable) -> float:
        """Count one request; return 0, or the seconds to wait if it is one too many.

        What is refused is not counted: whoever waits as told is let in.
        """
        if not self._interval_s:
            return 0.0
        now = time.monotonic()
        full_at = max(self._full_at.get(caller, now), now)
        wait_s = full_at - now - self._tolerance_s
        if wait_s > 0:
            return wait_s
        self._full_at[caller] = full_at + self._interval_s
        self._full_at.move_to_end(caller)
        if len(self._full_at) > MOST_CALLERS:
            self._full_at.popitem(last=False)
        return 0.0
