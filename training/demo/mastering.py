"""Mastering: the room, the microphone and the level, drawn alike for every class.

Loudness and spectral balance say little about what is heard: both are drawn per clip
from ranges that all classes share, as they would vary between rooms and recorders.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32
from scipy import fft

from training.demo.events import Chance, Real, draw_between, draw_log
from training.demo.sound import SAMPLE_RATE_HZ, Samples, mix, noise, sine, struck, timeline

MAX_TILT_DB = 4.5  # per octave; more makes a drum sound like a click


@dataclass(frozen=True, slots=True)
class Recording:
    """How a sound is taken up.

    Attributes:
        rms_db: Level of the whole clip, decibels over full scale.
        centroid_hz: Centroid of the power spectrum that the tilt aims at.
        noise_db: Level of the background noise over the sound.
        noise_slope_db: Its change per octave.
        hum_hz: Mains hum, or 0 for none.
        taps: Onset, pitch in Hz and level of unrelated taps in the room.
    """

    rms_db: Real
    centroid_hz: Real
    noise_db: Real
    noise_slope_db: Real
    hum_hz: Real
    taps: tuple[tuple[float, float, float], ...]

    @classmethod
    def draw(cls, chance: Chance, duration_s: float) -> Recording:
        """Return a recording drawn by lot."""
        taps = tuple(
            (
                draw_between(chance, 0, duration_s),
                draw_log(chance, 250, 3000),
                draw_between(chance, 0.05, 0.25),
            )
            for _ in range(int(chance.integers(0, 4)))
        )
        return cls(
            rms_db=draw_between(chance, -34, -18),
            centroid_hz=draw_log(chance, 300, 3500),
            noise_db=draw_between(chance, -30, -12),
            noise_slope_db=draw_between(chance, -7, 1),
            hum_hz=float(chance.choice([0, 0, 50, 60, 100, 120])),
            taps=taps,
        )

    def take(self, dry: Samples, chance: Chance) -> Float32[np.ndarray, "time"]:
        """Return the sound as recorded, within [-1, 1].

        Args:
            dry: The clip's own sound.
            chance: Source of the background noise.
        """
        duration_s = len(dry) / SAMPLE_RATE_HZ
        scaled = dry / np.sqrt(np.mean(dry**2))
        room = noise(chance, duration_s, 30, 9000, self.noise_slope_db)
        taps = mix(
            duration_s,
            (
                (onset_s, level * 4 * struck(pitch_hz, (1, 2.3), (1, 0.5), (0.03, 0.015)))
                for onset_s, pitch_hz, level in self.taps
            ),
        )
        wet = scaled + 10 ** (self.noise_db / 20) * room + taps
        if self.hum_hz:
            hum = sine(np.full(len(dry), self.hum_hz))
            wet += 10 ** ((self.noise_db - 4) / 20) * (hum + 0.4 * np.roll(hum, 97) ** 3)
        tilted = tilt(wet, self.centroid_hz)
        level = 10 ** (self.rms_db / 20) / np.sqrt(np.mean(tilted**2))
        time_s = timeline(duration_s)
        edges = np.clip(np.minimum(time_s, time_s[::-1]) / 0.01, 0, 1)
        return limit(level * tilted * edges).astype(np.float32)


def tilt(sound: Samples, centroid_hz: Real) -> Samples:
    """Return the sound with its spectrum tilted about 1 kHz towards a centroid.

    The tilt is the one that gives the power spectrum this centroid, held within
    ``MAX_TILT_DB`` per octave. Below 60 Hz the gain stays constant.
    """
    size = fft.next_fast_len(len(sound), real=True)
    spectrum = fft.rfft(sound, size)
    frequency_hz = fft.rfftfreq(size, 1 / SAMPLE_RATE_HZ)
    octaves = np.log2(np.maximum(frequency_hz, 60) / 1000)
    bands = np.linspace(octaves[0], octaves[-1], 200)
    which = np.digitize(octaves, bands) - 1
    power = np.bincount(which, np.abs(spectrum) ** 2, minlength=len(bands))
    band_hz = 1000 * 2**bands
    low_db, high_db = -MAX_TILT_DB, MAX_TILT_DB
    for _ in range(20):
        slope_db = (low_db + high_db) / 2
        weight = power * 10 ** (slope_db * bands / 10)
        if (weight @ band_hz) / weight.sum() < centroid_hz:
            low_db = slope_db
        else:
            high_db = slope_db
    tilted: Samples = fft.irfft(spectrum * 10 ** (low_db * octaves / 20), size)
    return tilted[: len(sound)]


def limit(sound: Samples, knee: Real = 0.7) -> Samples:
    """Return the sound bent softly into (-1, 1) above the knee, untouched below it."""
    over = np.maximum(np.abs(sound) - knee, 0)
    bent = knee + (1 - knee) * np.tanh(over / (1 - knee))
    return np.where(over > 0, np.sign(sound) * bent, sound)
