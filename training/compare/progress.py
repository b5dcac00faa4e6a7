"""Progress: a line per finished job on stderr, with the time left."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence

from crossmodal import console
from training.compare.outcome import Outcome
from training.compare.plan import Job


class Progress:
    """Counts jobs and foretells the rest from the seconds that like ones took."""

    def __init__(self, jobs: Sequence[Job], workers: int) -> None:
        self._left = {id(job): job for job in jobs}
        self._total = len(jobs)
        self._workers = workers
        self._seconds: dict[str, list[float]] = defaultdict(list)
        self._started = time.monotonic()

    def done(self, job: Job, outcome: Outcome) -> None:
        """Print the line of a job that is done."""
        self._left.pop(id(job), None)
        number = self._total - len(self._left)
        if outcome.ok:
            spent = outcome.values["train_seconds"] + outcome.values["evaluate_seconds"]
            self._seconds[job.method].append(spent)
            scores = [
                values["mean_average_precision"]
                for values in outcome.values["directions"].values()
            ]
            known = [score for score in scores if score is not None]
            found = f"mAP {sum(known) / len(known):.3f}, " if known else ""
            said = f"{found}{spent:.1f} s"
        else:
            said = f"{outcome.values['status']}: {outcome.values['reason']}"
        left = f"; about {_clock(self.left_s())} left" if self._left else ""
        console.note(f"[{number}/{self._total}] {job.title}: {said}{left}")

    def left_s(self) -> float:
        """Return the seconds that the jobs left will take, judged by those done."""
        known = [s for seconds in self._seconds.values() for s in seconds]
        usual = sum(known) / len(known) if known else 0.0
        rest = 0.0
        for job in self._left.values():
            own = self._seconds.get(job.method)
            rest += sum(own) / len(own) if own else usual
        return rest / min(self._workers, max(1, len(self._left)))

    def elapsed(self) -> str:
        """Return the time since the start, for people."""
        return _clock(time.monotonic() - self._started)


def _clock(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
