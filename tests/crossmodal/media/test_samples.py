"""Real files of the shared data decode, and agree with FFmpeg's own view of them."""

from __future__ import annotations

import itertools
import math
import os
from pathlib import Path

import av
import numpy as np
import pytest

from crossmodal.media.decoder import Decoder
from crossmodal.media.tracks import AudioRequest, VisualRequest
from crossmodal.modality import Modality

DATA = os.environ.get("EARSHOT_TEST_DATA")
SAMPLES = Path(DATA or "", "samples_av")
pytestmark = pytest.mark.skipif(
    not DATA or not SAMPLES.is_dir(),
    reason="EARSHOT_TEST_DATA names no folder with samples_av",
)
HEAR = {Modality.AUDIO: AudioRequest(16_000)}
SEE = {Modality.VISUAL: VisualRequest(1.0, 224, 224)}
FILES = sorted(SAMPLES.glob("*.*")) if DATA else []


def each(*suffixes: str) -> pytest.MarkDecorator:
    paths = [path for path in FILES if path.suffix in suffixes]
    return pytest.mark.parametrize("path", paths, ids=lambda path: path.name)


@each(".wav", ".mp4")
def test_the_sound_of_a_real_file_has_its_length_and_loudness(
    decoder: Decoder, path: Path
) -> None:
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=0))
    length_s = sum(frame.samples for frame in frames) / frames[0].sample_rate
    clip = decoder.decode(path, HEAR)
    samples = clip.tracks[Modality.AUDIO].samples
    assert clip.duration_s == pytest.approx(length_s, abs=0.001)
    arrays = [frame.to_ndarray().reshape(-1).astype(np.float64) for frame in frames]
    together = np.concatenate(arrays) / (32768 if frames[0].format.name == "s16" else 1)
    assert 0.3 < samples.std() / together.std() < 1.05  # channels cancel, highs go


@each(".mp4")
def test_the_pictures_of_a_real_video_are_those_of_decoding_all(
    decoder: Decoder, path: Path
) -> None:
    frames = decoder.decode(path, SEE, end_s=3.0).tracks[Modality.VISUAL]
    with av.open(str(path)) as container:
        shown_early = itertools.takewhile(lambda f: f.time < 3.2, container.decode(video=0))
        every = list(shown_early)
    times_s = np.array([frame.time for frame in every])
    last_s = (times_s[-1] - times_s[0]) + 1 / 30
    assert len(frames.times_s) == math.ceil(min(last_s, 3.0))
    for moment_s, pixels in zip(frames.times_s, frames.pixels, strict=True):
        shown = every[np.flatnonzero(times_s - times_s[0] <= moment_s + 1e-3)[-1]]
        expected = shown.reformat(224, 224, "rgb24", interpolation="BILINEAR").to_ndarray()
        np.testing.assert_array_equal(pixels, expected)


@each(".jpg")
def test_a_real_photograph_is_one_frame(decoder: Decoder, path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    clip = decoder.decode(path, SEE)
    pixels = clip.tracks[Modality.VISUAL].pixels
    with image.open(path) as opened:
        expected = np.asarray(
            opened.convert("RGB").resize((224, 224), image.Resampling.BILINEAR)
        )
    assert pixels.shape == (1, 224, 224, 3)
    assert np.abs(pixels[0].astype(int) - expected).mean() < 4
