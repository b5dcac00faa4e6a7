"""Encoding: frames and sound to an mp4 that browsers play, the same bytes every time."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from jaxtyping import Float32, UInt8

from training.demo.picture import HEIGHT, WIDTH
from training.demo.sound import SAMPLE_RATE_HZ

FPS = 12
AUDIO_BITS_PER_S = 80_000


def encode_clip(
    path: Path,
    frames: Iterable[UInt8[np.ndarray, "height width 3"]],
    sound: Float32[np.ndarray, "time"],
) -> None:
    """Write an mp4 file: H.264 in 4:2:0 and AAC, its header before its data.

    One encoder thread and no dates or versions in the file, so that its bytes follow
    from the content alone.

    Args:
        path: The file; replaced if it exists.
        frames: RGB pictures of HEIGHT by WIDTH at FPS.
        sound: Mono in [-1, 1] at SAMPLE_RATE_HZ.
    """
    options = {"movflags": "+faststart", "fflags": "+bitexact"}
    with av.open(str(path), "w", format="mp4", options=options) as container:
        video = container.add_stream(
            "libx264",
            rate=FPS,
            options={"preset": "ultrafast", "crf": "25", "threads": "1"},
        )
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        video.codec_context.gop_size = 2 * FPS
        audio = container.add_stream(
            "aac", rate=SAMPLE_RATE_HZ, layout="mono", options={"aac_coder": "fast"}
        )
        audio.bit_rate = AUDIO_BITS_PER_S
        converter = VideoReformatter()
        for number, pixels in enumerate(frames):
            picture = converter.reformat(
                av.VideoFrame.from_ndarray(pixels, format="rgb24"),
                format="yuv420p",
                threads=1,
            )
            picture.pts, picture.time_base = number, Fraction(1, FPS)
            container.mux(video.encode(picture))
        container.mux(video.encode())
        wave = av.AudioFrame.from_ndarray(sound[None], format="fltp", layout="mono")
        wave.sample_rate, wave.pts = SAMPLE_RATE_HZ, 0
        container.mux(audio.encode(wave))
        container.mux(audio.encode())
