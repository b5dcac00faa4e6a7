from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import pytest


@dataclass(frozen=True)
class Decoded:
    """What a player gets out of a clip's file."""

    pixels: np.ndarray
    times_s: np.ndarray
    sound: np.ndarray
    sound_start_s: float
    sample_rate_hz: int


def decode_file(path: Path) -> Decoded:
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    with av.open(str(path)) as container:
        pieces = list(container.decode(audio=0))
    return Decoded(
        pixels=np.stack([frame.to_ndarray(format="rgb24") for frame in frames]),
        times_s=np.array([frame.time for frame in frames]),
        sound=np.concatenate([piece.to_ndarray()[0] for piece in pieces]),
        sound_start_s=pieces[0].time,
        sample_rate_hz=pieces[0].sample_rate,
    )


@pytest.fixture(scope="session")
def decode() -> Callable[[Path], Decoded]:
    return decode_file
