"""Arrivals: when requests are due, set before the first one is sent."""

from __future__ import annotations

import numpy as np


def poisson(rate: float, seconds: float, seed: int) -> np.ndarray:
    """Return ascending due times in seconds from the start, as independent users make them.

    Args:
        rate: Requests per second, on average.
        seconds: All due times are below this.
        seed: Equal seeds give equal times.

    Raises:
        ValueError: If the rate or the time is not positive.
    """
    if not (rate > 0 and seconds > 0):
        raise ValueError(f"expected a rate and seconds above 0, got {rate} and {seconds}")
    rng = np.random.default_rng(seed)
    due = np.empty(0)
    while not len(due) or due[-1] < seconds:
        last = due[-1] if len(due) else 0.0
        gaps = rng.exponential(1 / rate, max(16, int(rate * seconds)))
        due = np.concatenate([due, last + np.cumsum(gaps)])
    return due[due < seconds]
