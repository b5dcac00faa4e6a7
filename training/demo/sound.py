"""Sound synthesis: tones, strikes and noise as arrays at one sample rate."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Float64
from scipy import fft

from training.demo.events import Chance, Real

SAMPLE_RATE_HZ = 32_000

Samples = Float64[np.ndarray, "time"]
Piece = Float64[np.ndarray, "_"]
"""Samples whose length need not be that of the others in a signature."""


def sample_count(duration_s: Real) -> int:
    """Return how many samples a duration takes."""
    return round(duration_s * SAMPLE_RATE_HZ)


def timeline(duration_s: Real) -> Samples:
    """Return the time of every sample, in seconds."""
    return np.arange(sample_count(duration_s)) / SAMPLE_RATE_HZ


def mix(duration_s: Real, placed: Iterable[tuple[Real, Piece]]) -> Samples:
    """Return the sum of sounds, each starting at its onset and cut at the end.

    Args:
        duration_s: Length of the result.
        placed: Onset in seconds and sound.
    """
    track = np.zeros(sample_count(duration_s))
    for onset_s, sound in placed:
        start = sample_count(max(0.0, onset_s))
        fitting = sound[: max(0, len(track) - start)]
        track[start : start + len(fitting)] += fitting
    return track


def struck(
    pitch_hz: Real,
    ratios: Sequence[Real],
    levels: Sequence[Real],
    decays_s: Sequence[Real],
) -> Samples:
    """Return a struck body: partials that set in at once and fade each at its pace.

    Args:
        pitch_hz: Frequency of ratio 1.
        ratios: Frequency of each partial over the pitch; those above Nyquist are left out.
        levels: Amplitude of each partial.
        decays_s: Time in which each falls to 1/e.
    """
    time_s = timeline(min(4.0, 6 * max(decays_s)))
    sound = np.zeros_like(time_s)
    for ratio, level, decay_s in zip(ratios, levels, decays_s, strict=True):
        if ratio * pitch_hz < 0.45 * SAMPLE_RATE_HZ:
            wave = np.sin(2 * np.pi * ratio * pitch_hz * time_s)
            sound += level * wave * np.exp(-time_s / decay_s)
    attack = np.minimum(1.0, time_s / 0.001)
    return sound * attack


def falling(start_hz: Real, end_hz: Real, fall_s: Real, decay_s: Real) -> Samples:
    """Return a thump: a sine that drops in pitch and fades.

    Args:
        start_hz: Frequency at the onset.
        end_hz: Frequency it approaches.
        fall_s: Time in which it covers all but 1/e of the way.
        decay_s: Time in which it falls to 1/e of its loudness.
    """
    time_s = timeline(6 * decay_s)
    frequency_hz = end_hz + (start_hz - end_hz) * np.exp(-time_s / fall_s)
    attack = np.minimum(1.0, time_s / 0.002)
    thump: Samples = sine(frequency_hz) * attack * np.exp(-time_s / decay_s)
    return thump


def sine(frequency_hz: Samples) -> Samples:
    """Return a sine that follows a frequency, one value per sample."""
    return np.sin(2 * np.pi * np.cumsum(frequency_hz) / SAMPLE_RATE_HZ)


def noise(
    chance: Chance, duration_s: Real, low_hz: Real, high_hz: Real, slope_db: Real = 0.0
) -> Samples:
    """Return noise of a band with soft edges and standard deviation 1.

    Args:
        chance: Source of the noise.
        duration_s: Its length.
        low_hz: Below it the noise falls by 12 dB per octave.
        high_hz: Above it the noise falls by 12 dB per octave.
        slope_db: Change of level per octave inside the band.
    """
    count = sample_count(duration_s)
    size = fft.next_fast_len(count, real=True)
    frequency_hz = np.maximum(fft.rfftfreq(size, 1 / SAMPLE_RATE_HZ), 1.0)
    gain = 1 / (1 + (low_hz / frequency_hz) ** 2) / (1 + (frequency_hz / high_hz) ** 2)
    gain *= (frequency_hz / 1000) ** (slope_db / 20 / np.log10(2))
    shaped: Samples = fft.irfft(fft.rfft(chance.standard_normal(size)) * gain, size)[:count]
    shaped /= shaped.std()
    return shaped


def burst(
    chance: Chance, decay_s: Real, low_hz: Real, high_hz: Real, attack_s: Real = 0.001
) -> Samples:
    """Return noise of a band that sets in and fades: the noisy part of a strike."""
    time_s = timeline(6 * decay_s)
    fading = np.minimum(1.0, time_s / attack_s) * np.exp(-time_s / decay_s)
    sound: Samples = 0.3 * noise(chance, 6 * decay_s, low_hz, high_hz) * fading
    return sound
