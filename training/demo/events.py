"""Events: what happens in a clip and when, heard and seen alike."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

Chance = np.random.Generator

Real = float | int
"""A number; said in full because runtime type checks keep the two apart."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happens: when, how strongly, and where.

    Attributes:
        onset_s: Seconds from the clip's start.
        strength: In (0, 1]; drives loudness and the size of the movement.
        place: Which part of the scene it concerns (a bar, a drum); 0 if there is one.
        x: Where across the picture, in [0, 1]; 0.5 if it does not matter.
    """

    onset_s: float
    strength: float = 1.0
    place: int = 0
    x: float = 0.5


def draw_between(chance: Chance, low: Real, high: Real) -> float:
    """Return a number drawn evenly from the range."""
    return float(chance.uniform(low, high))


def draw_log(chance: Chance, low: Real, high: Real) -> float:
    """Return a number whose logarithm is drawn evenly: periods, pitches."""
    return math.exp(draw_between(chance, math.log(low), math.log(high)))


def beats(chance: Chance, duration_s: Real, period_s: Real, jitter: Real) -> list[float]:
    """Return the onsets of a pulse that starts somewhere in its first period.

    Args:
        chance: Source of the start and of the deviations.
        duration_s: Onsets stay below it.
        period_s: Mean time between onsets.
        jitter: Standard deviation of each gap, as a fraction of the period.
    """
    onset_s = draw_between(chance, 0.1, 0.1 + 0.8 * period_s)
    onsets = []
    while onset_s < duration_s - 0.05:
        onsets.append(onset_s)
        deviation = float(np.clip(chance.normal(0, jitter), -0.4, 0.4)) if jitter else 0.0
        onset_s += period_s * (1 + deviation)
    return onsets


def latest(events: Sequence[Event], time_s: Real, place: int | None = None) -> Event | None:
    """Return the last event at or before the time, of one place or of any."""
    past = [
        event
        for event in events
        if event.onset_s <= time_s and (place is None or event.place == place)
    ]
    return max(past, key=lambda event: event.onset_s, default=None)


def ringing(
    events: Iterable[Event], time_s: Real, decay_s: Real, place: int | None = None
) -> float:
    """Return what is left at a time of events that fade exponentially; at most 1."""
    left = math.fsum(
        event.strength * math.exp((event.onset_s - time_s) / decay_s)
        for event in events
        if event.onset_s <= time_s and (place is None or event.place == place)
    )
    return min(1.0, left)
