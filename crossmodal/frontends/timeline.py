"""Timelines: how strongly something happens over a clip's time, and how it repeats.

Sound and picture use the same bins, lags and rates, so an event leaves its mark in the
same columns of both: that is what instance retrieval can learn from.

Conventions: time is absolute, from the clip's start; a clip shorter than the span has
zeros at its end, a longer one is cut in the envelope but counts whole in the rhythm.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float64

ENVELOPE_STEP_S = 0.2
ENVELOPE_BINS = 30
CONTOUR_STEP_S = 0.4
CONTOUR_BINS = 15
RHYTHM_STEP_S = 0.1
RHYTHM_REACH_S = 0.2  # takes out what alternates from row to row at 10 rows a second
LAGS = 20  # of RHYTHM_STEP_S
RATES_HZ = tuple(0.5 * 2.0 ** (k / 5) for k in range(16))  # 0.5 to 4 Hz, 5 an octave

Series = Float[np.ndarray, "time"]
Values = Float64[np.ndarray, "bins"]


def timeline_settings() -> dict[str, float | int | list[float]]:
    """Return what a front end that uses timelines must declare."""
    return {
        "envelope_step_s": ENVELOPE_STEP_S,
        "envelope_bins": ENVELOPE_BINS,
        "contour_step_s": CONTOUR_STEP_S,
        "contour_bins": CONTOUR_BINS,
        "rhythm_step_s": RHYTHM_STEP_S,
        "rhythm_reach_s": RHYTHM_REACH_S,
        "lags": LAGS,
        "rates_hz": [round(rate, 6) for rate in RATES_HZ],
    }


def binned(
    series: Series,
    step_s: float,
    bin_s: float,
    bins: int,
    *,
    reach_s: float | None = None,
    weights: Series | None = None,
) -> Values:
    """Return weighted means of a series over triangles around regular times.

    Args:
        series: One value per step; value i belongs to time ``i * step_s``.
        step_s: Seconds between values.
        bin_s: Seconds between bins.
        bins: How many; bin j is centered on ``j * bin_s``.
        reach_s: From a triangle's center to its ends; by default to both neighbors.
        weights: How much each value counts, 1 by default. A bin of no weight is 0.
    """
    apart = np.abs(np.arange(len(series)) * step_s - bin_s * np.arange(bins)[:, None])
    reach: Values = np.maximum(0.0, 1.0 - apart / (bin_s if reach_s is None else reach_s))
    counted = np.ones(len(series)) if weights is None else weights.astype(np.float64)
    mass = reach @ counted
    total = reach @ (counted * series)
    means: Values = np.divide(total, mass, out=np.zeros(bins), where=mass > 1e-12)
    return means


def envelope(series: Series, step_s: float) -> Values:
    """Return the series over absolute time, relative to its own maximum, in [0, 1].

    The square root is taken, so that one strong event does not hide the others.

    Args:
        series: Strength of events, not negative, one value per step.
        step_s: Seconds between values.
    """
    values = binned(series, step_s, ENVELOPE_STEP_S, ENVELOPE_BINS)
    rooted: Values = np.sqrt(relative(values))
    return rooted


def relative(values: Series) -> Float64[np.ndarray, "time"]:
    """Return the values divided by their maximum; all zeros stay zeros."""
    top = float(values.max(initial=0.0))
    return values.astype(np.float64) / top if top > 0.0 else np.zeros(len(values))


def rhythm(series: Series, step_s: float) -> Values:
    """Return autocorrelation at lags 0.1 to 2 s, then the modulation spectrum.

    Both are of the whole series less its mean and do not change with its scale; those of
    a constant series are 0. The spectrum's values sum to 1 and give tempo on a
    logarithmic axis.
    """
    bins = 1 + int((len(series) - 1) * step_s / RHYTHM_STEP_S + 1e-6)
    values = binned(series, step_s, RHYTHM_STEP_S, bins, reach_s=RHYTHM_REACH_S)
    values -= values.mean()
    energy = float(values @ values)
    if energy <= 1e-12 * max(1.0, float(np.abs(series).max()) ** 2):
        return np.zeros(LAGS + len(RATES_HZ))
    padded = np.concatenate([values, np.zeros(LAGS)])
    lags = np.array([values @ padded[lag : lag + bins] for lag in range(1, LAGS + 1)])
    times = RHYTHM_STEP_S * np.arange(bins)
    waves = np.exp(-2j * np.pi * np.outer(RATES_HZ, times))
    spectrum = np.abs(waves @ (values * np.hanning(bins + 2)[1:-1]))
    return np.concatenate([lags / energy, spectrum / max(spectrum.sum(), 1e-12)])
