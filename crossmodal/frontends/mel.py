"""Mel spectrogram: power in bands spaced as the ear hears pitch.

Conventions: those of librosa 0.11 with its defaults, written here because importing
librosa costs seconds and 120 MB (it loads a compiler) while the computation is a Fourier
transform and one product; the tests hold the two to 1e-4 dB.

Source:
    Slaney 1998, Auditory Toolbox, technical report 1998-010 (scale and filter areas);
    McFee et al. 2015, librosa: audio and music signal analysis in Python.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from jaxtyping import Float32, Float64

BREAK_HZ = 1000.0  # below, the scale is linear, above, logarithmic
LINEAR_HZ = 200.0 / 3  # width of a mel below the break
LOG_STEP = np.log(6.4) / 27  # ratio of neighboring mels above it, natural logarithm
LOWEST_POWER = 1e-10  # -100 dB
AT_ONCE = 32  # windows transformed together: they fit a core's cache, half the time

Power = Float32[np.ndarray, "time bins"]


def hz_to_mel(hz: Float64[np.ndarray, "*shape"]) -> Float64[np.ndarray, "*shape"]:
    """Return the frequencies on Slaney's mel scale."""
    above = BREAK_HZ / LINEAR_HZ + np.log(np.maximum(hz, BREAK_HZ) / BREAK_HZ) / LOG_STEP
    return np.where(hz < BREAK_HZ, hz / LINEAR_HZ, above)


def mel_to_hz(mel: Float64[np.ndarray, "*shape"]) -> Float64[np.ndarray, "*shape"]:
    """Return the frequencies in Hz of points on Slaney's mel scale."""
    over = np.maximum(mel - BREAK_HZ / LINEAR_HZ, 0.0)
    above = BREAK_HZ * np.exp(over * LOG_STEP)
    return np.where(mel < BREAK_HZ / LINEAR_HZ, mel * LINEAR_HZ, above)


@cache
def mel_filters(
    sample_rate_hz: int, window: int, bands: int
) -> Float32[np.ndarray, "bands bins"]:
    """Return triangular filters of equal area from 0 Hz to half the sample rate."""
    top = hz_to_mel(np.array([0.5 * sample_rate_hz]))[0]
    edges_hz = mel_to_hz(np.linspace(0.0, top, bands + 2))
    lower, center, upper = edges_hz[:-2, None], edges_hz[1:-1, None], edges_hz[2:, None]
    bins_hz = np.fft.rfftfreq(window, 1 / sample_rate_hz)[None, :]
    rising = (bins_hz - lower) / (center - lower)
    falling = (upper - bins_hz) / (upper - center)
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    filters: np.ndarray = (triangles * 2.0 / (upper - lower)).astype(np.float32)
    filters.setflags(write=False)
    return filters


def power_spectrogram(
    samples: Float32[np.ndarray, "samples"], window: int, hop: int
) -> Power:
    """Return the power of each frequency bin in windows of a periodic Hann shape.

    Convention: window i is centered on sample ``i * hop``; zeros stand before the first
    and after the last sample, so there are ``1 + len(samples) // hop`` windows. Transforms
    are in float64: in float32 the quiet bands beside a loud tone are rounding noise.
    """
    import scipy.fft  # here: it takes an eighth of a second, and a search needs none

    padded = np.pad(samples.astype(np.float64), window // 2)
    shape = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    cuts = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop]
    power = np.empty((len(cuts), window // 2 + 1), dtype=np.float32)
    for start in range(0, len(cuts), AT_ONCE):
        spectrum = scipy.fft.rfft(cuts[start : start + AT_ONCE] * shape, axis=1)
        power[start : start + AT_ONCE] = spectrum.real**2 + spectrum.imag**2
    return power


def decibels(power: Float32[np.ndarray, "*shape"]) -> Float32[np.ndarray, "*shape"]:
    """Return ten times the decimal logarithm, from -100 dB up."""
    level: np.ndarray = 10.0 * np.log10(np.maximum(power, np.float32(LOWEST_POWER)))
    return level
