"""Media made for the tests, and one decoder for all that share its limits."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import numpy as np
import pytest

from crossmodal.media.decoder import Decoder
from crossmodal.media.limits import MediaLimits
from crossmodal.media.tracks import AudioRequest, VisualRequest
from crossmodal.modality import Modality
from tests.corpus.clips import (
    Pictures,
    Sound,
    clip,
    color_frames,
    encode,
    tone,
    wav_bytes,
)


def numbered_frames(count: int, size: int = 64) -> list[np.ndarray]:
    """Frames whose number can be read back from sixteen black or white squares."""
    frames = []
    for number in range(count):
        bits = np.array([number >> i & 1 for i in range(16)], np.uint8).reshape(4, 4)
        gray = 40 + 170 * bits.repeat(size // 4, 0).repeat(size // 4, 1)
        frames.append(np.stack([gray] * 3, axis=-1).astype(np.uint8))
    return frames


def read_number(pixels: np.ndarray) -> int:
    side = pixels.shape[0] // 4
    squares = pixels.mean(axis=-1).reshape(4, side, 4, side).mean(axis=(1, 3))
    return int(sum(1 << i for i, level in enumerate(squares.ravel()) if level > 125))


@pytest.fixture(scope="session")
def decoder() -> Iterator[Decoder]:
    """A decoder whose limits are short, as no file of the tests deserves more."""
    with Decoder(MediaLimits(wall_s=120.0, cpu_s=10), workers=2) as decoder:
        decoder.warm()
        yield decoder


@pytest.fixture(scope="session")
def limited(decoder: Decoder) -> Callable[[MediaLimits], Decoder]:
    """The same decoder, so the same processes, under other limits."""

    def under(limits: MediaLimits) -> Decoder:
        twin = copy.copy(decoder)
        twin.limits = limits
        return twin

    return under


@pytest.fixture(scope="session")
def making() -> SimpleNamespace:
    """What makes media, as fixtures are the only way to share code between test files."""
    return SimpleNamespace(
        Sound=Sound,
        Pictures=Pictures,
        encode=encode,
        tone=tone,
        color_frames=color_frames,
        numbered_frames=numbered_frames,
        read_number=read_number,
        wav_bytes=wav_bytes,
    )


@pytest.fixture(scope="session")
def hear() -> dict[Modality, AudioRequest]:
    return {Modality.AUDIO: AudioRequest(16_000)}


@pytest.fixture(scope="session")
def see() -> dict[Modality, VisualRequest]:
    return {Modality.VISUAL: VisualRequest(fps=2.0, height=32, width=32)}


@pytest.fixture(scope="session")
def make() -> Callable[[str], bytes]:
    """Three seconds of a 440 Hz stereo tone and of red, green, blue, by container."""
    return clip
