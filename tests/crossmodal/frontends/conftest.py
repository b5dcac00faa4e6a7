from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from crossmodal.media.tracks import Frames, Waveform


@pytest.fixture(scope="session")
def encoders_directory() -> Path:
    root = os.environ.get("EARSHOT_TEST_DATA")
    if not root:
        pytest.skip("EARSHOT_TEST_DATA is not set: it holds the pretrained weights")
    pytest.importorskip("ai_edge_litert", reason="the extra 'frontends' is not installed")
    return Path(root) / "encoders"


@pytest.fixture(scope="session")
def chirps() -> Waveform:
    """Three seconds of rising tones, one every half second, over a faint hum."""
    time_s = np.arange(48_000) / 16_000
    since_s = time_s % 0.5
    rising = np.sin(2 * np.pi * (300 * since_s + 900 * since_s**2)) * np.exp(-6 * since_s)
    hum = 0.02 * np.sin(2 * np.pi * 120 * time_s)
    return Waveform((0.4 * rising + hum).astype(np.float32), 16_000)


@pytest.fixture(scope="session")
def crossing() -> Frames:
    """A red square that crosses a striped background from left to right in 3 s."""
    rows, columns = np.mgrid[0:36, 0:48]
    still = np.stack([90 + 20 * (rows // 6 % 2), 100 + columns, 140 - rows], axis=2)
    pixels = np.repeat(still[None].astype(np.uint8), 30, axis=0)
    for number in range(30):
        left = 3 * number // 2
        pixels[number, 14:22, left : left + 4] = (220, 30, 20)
    return Frames(pixels, np.arange(30) / 10)
