"""Clips of pure tones, as a labelled folder."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np


def write_tones(folder: Path, **hertz: float) -> Path:
    """Write a second of each tone under its name, and return the folder."""
    (folder / "audio" / "tone").mkdir(parents=True, exist_ok=True)
    for name, frequency in hertz.items():
        wave_form = np.sin(2 * np.pi * frequency * np.arange(16_000) / 16_000)
        with wave.open(str(folder / "audio" / "tone" / f"{name}.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16_000)
            file.writeframes((8_000 * wave_form).astype("<i2").tobytes())
    return folder
