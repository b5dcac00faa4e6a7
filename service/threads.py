"""Threads: concurrency is ours alone, and our threads do not keep each other waiting."""

from __future__ import annotations

import os
import sys

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
TURN_S = 0.0002  # a search takes twice that, Python's own value is 5 ms


def use_one_thread_per_call() -> None:
    """Let FAISS and BLAS use one thread per call, unless the environment says otherwise.

    Both read the variables when they are loaded and never again: call it before.
    """
    for name in THREAD_VARIABLES:
        os.environ.setdefault(name, "1")


def take_short_turns() -> None:
    """Let a thread that waits for the interpreter have it soon, as one with hits does."""
    sys.setswitchinterval(TURN_S)
