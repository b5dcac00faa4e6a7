"""Threads: FAISS and BLAS on one thread per call, so that concurrency is ours alone."""

from __future__ import annotations

import os
import sys

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def use_one_thread_per_call() -> None:
    """Start this process anew with one thread per FAISS and BLAS call, if need be.

    Both read the variables when they are loaded; setting them later reaches one thread
    only. Call it before anything of weight is imported.
    """
    if all(name in os.environ for name in THREAD_VARIABLES):
        return
    for name in THREAD_VARIABLES:
        os.environ.setdefault(name, "1")
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-m", "service", *sys.argv[1:]])
