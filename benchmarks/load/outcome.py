"""Outcomes: what became of every request, and the figures that sum it up."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

QUANTILES = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99, "p999_ms": 0.999}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One run of the generator; times in seconds from its start, one entry per request.

    Attributes:
        number: Which request of the plan.
        due_s: When it should have been sent; in a closed loop, when it was.
        sent_s: When it was sent; NaN if no connection was free before the end.
        done_s: When its answer was complete; NaN if none came.
        status: The answer's HTTP status; 0 if none came.
        retry_after: Whether the answer said when to come back.
        lag_s: Of each request sent, how long the generator itself kept it back.
        resets: Connections that ended while an answer was owed.
        elapsed_s: From the first due time to the last answer, or to giving up.
        busy: The part of its time in which the generator's process had the processor.
    """

    number: np.ndarray
    due_s: np.ndarray
    sent_s: np.ndarray
    done_s: np.ndarray
    status: np.ndarray
    retry_after: np.ndarray
    lag_s: np.ndarray
    resets: int
    elapsed_s: float
    busy: float

    @property
    def latency_s(self) -> np.ndarray:
        """Seconds from due to done; what was not answered has waited until the end."""
        done = np.where(np.isnan(self.done_s), self.elapsed_s, self.done_s)
        return done - self.due_s

    @property
    def sent(self) -> np.ndarray:
        """Which requests were sent; the others found no connection before the end."""
        return ~np.isnan(self.sent_s)

    @property
    def statuses(self) -> dict[int, int]:
        """How many answers had each status; 0 counts the requests that got none."""
        return dict(sorted(Counter(self.status[self.sent].tolist()).items()))

    def only(self, chosen: np.ndarray) -> Outcome:
        """Return the part of the run that a mask over its requests admits."""
        fields = ("number", "due_s", "sent_s", "done_s", "status", "retry_after")
        part = {name: getattr(self, name)[chosen] for name in fields}
        whole = {
            name: getattr(self, name) for name in ("lag_s", "resets", "elapsed_s", "busy")
        }
        return Outcome(**part, **whole)

    def answered(self, seconds: float, status: int = 200) -> float:
        """Return how many answers of a status came per second, over the first seconds."""
        in_time = (self.status == status) & (self.done_s <= seconds)
        return float(in_time.sum() / seconds)

    def latencies(self) -> dict[str, float]:
        """Return quantiles in ms, over everything but answers that refuse."""
        refused = np.isin(self.status, (429, 503))
        waited = np.sort(self.latency_s[~refused])
        if not len(waited):
            return {}
        last = len(waited) - 1
        return {
            name: round(1e3 * float(waited[int(np.ceil(part * last))]), 3)
            for name, part in QUANTILES.items()
        }

    def account(self) -> dict[str, Any]:
        """Return what tells whether the run can be believed."""
        lag_ms = 1e3 * float(np.quantile(self.lag_s, 0.99)) if len(self.lag_s) else 0.0
        return {
            "statuses": {str(status): count for status, count in self.statuses.items()},
            "resets": self.resets,
            "unsent": int((~self.sent).sum()),
            "generator_busy": round(self.busy, 3),
            "generator_lag_p99_ms": round(lag_ms, 3),
        }
