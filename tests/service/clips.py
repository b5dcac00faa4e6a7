"""Clips made on the spot: noise as WAV, and frames as a film without sound."""

from __future__ import annotations

import io
import wave

import av
import numpy as np


def wav_clip(seconds: float = 1.0, rate: int = 16_000, seed: int = 0) -> bytes:
    """Return a WAV file of noise."""
    samples = np.random.default_rng(seed).normal(0, 4000, int(seconds * rate))
    file = io.BytesIO()
    with wave.open(file, "wb") as written:
        written.setnchannels(1)
        written.setsampwidth(2)
        written.setframerate(rate)
        written.writeframes(np.clip(samples, -32768, 32767).astype("<i2").tobytes())
    return file.getvalue()


def film_clip(seconds: float = 1.0, fps: int = 8) -> bytes:
    """Return an MP4 file of noise pictures without sound."""
    rng = np.random.default_rng(1)
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(int(seconds * fps)):
            pixels = rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return file.getvalue()
