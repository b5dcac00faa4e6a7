"""The generator in a process of its own: it shares no lock with what it measures."""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Callable

from benchmarks.load.generator import Plan, drive
from benchmarks.load.outcome import Outcome

START_S = 60.0


def generate(
    plan: Plan, meanwhile: Callable[[], object] | None = None, every_s: float = 1.0
) -> Outcome:
    """Run a plan in a new process and return its outcome; the process is ended in any case.

    Args:
        plan: What to send.
        meanwhile: What to do in this process until it is over.
        every_s: How often.

    Raises:
        TimeoutError: If it takes longer than its plan allows.
    """
    context = multiprocessing.get_context("spawn")
    deadline = time.monotonic() + plan.longest_s + START_S
    with context.Pool(1, initializer=_leave_interrupts_to_the_parent) as pool:
        running = pool.apply_async(drive, (plan,))
        while not running.ready():
            if time.monotonic() > deadline:
                raise TimeoutError(f"the generator is not done after {plan.longest_s:g} s")
            if meanwhile is not None:
                meanwhile()
            running.wait(every_s)
        return running.get()


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
