"""Tracks: what decoding is asked for and what it returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, UInt8

from crossmodal.modality import Modality


@dataclass(frozen=True, slots=True)
class AudioRequest:
    """Ask for sound: all channels averaged to one, resampled to one rate."""

    sample_rate_hz: int


@dataclass(frozen=True, slots=True)
class VisualRequest:
    """Ask for pictures: sampled at a fixed rate, scaled to a fixed size.

    Frames are stretched to the size; the aspect ratio is not kept. A still picture
    gives one frame.
    """

    fps: float
    height: int
    width: int


TrackRequest = AudioRequest | VisualRequest


@dataclass(frozen=True, slots=True)
class Waveform:
    """Mono sound in [-1, 1]."""

    samples: Float32[np.ndarray, "time"]
    sample_rate_hz: int

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.sample_rate_hz


@dataclass(frozen=True, slots=True)
class Frames:
    """RGB pictures with their times in seconds from the clip's start."""

    pixels: UInt8[np.ndarray, "time height width 3"]
    times_s: Float64[np.ndarray, "time"]


Track = Waveform | Frames


@dataclass(frozen=True, slots=True)
class DecodedClip:
    """The tracks a clip gave, one per modality asked for.

    ``duration_s`` is the length of the stretch that was decoded, in seconds: 0 for a
    still picture.
    """

    tracks: Mapping[Modality, Track]
    duration_s: float
    container: str
