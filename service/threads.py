"""Threads: FAISS and BLAS on one thread per call, so that concurrency is ours alone."""

from __future__ import annotations

import os

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def use_one_thread_per_call() -> None:
    """Let FAISS and BLAS use one thread per call, unless the environment says otherwise.

    Both read the variables when they are loaded and never again: call it before.
    """
    for name in THREAD_VARIABLES:
        os.environ.setdefault(name, "1")
