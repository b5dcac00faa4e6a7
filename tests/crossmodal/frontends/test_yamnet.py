from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from crossmodal.errors import FrontEndError, ShapeError
from crossmodal.frontends.yamnet import HOP, WINDOW, Yamnet, windows
from crossmodal.media.tracks import Waveform


@pytest.fixture(scope="module")
def yamnet(encoders_directory: Path) -> Yamnet:
    return Yamnet(encoders_directory)


@pytest.mark.parametrize(
    ("length", "count"),
    [
        (1, 1),
        (WINDOW, 1),
        (WINDOW + HOP - 1, 1),
        (WINDOW + HOP, 2),
        (WINDOW + 2 * HOP, 3),
        (160_000, 19),
    ],
)
def test_whole_windows_are_cut_every_half_window(length: int, count: int) -> None:
    samples = np.arange(length, dtype=np.float32)
    cut = windows(samples)
    assert cut.shape == (count, WINDOW)
    for number, window in enumerate(cut):
        part = samples[number * HOP : number * HOP + WINDOW]
        assert np.array_equal(window[: len(part)], part)
        assert not window[len(part) :].any()


def test_pooling_is_the_mean_and_needs_no_weights(tmp_path: Path) -> None:
    rows = np.stack([np.zeros(1024), np.full(1024, 3.0)]).astype(np.float32)
    assert Yamnet(tmp_path).pool(rows).tolist() == [1.5] * 1024
    with pytest.raises(ShapeError, match="1024"):
        Yamnet(tmp_path).pool(rows[:, 1:])


def test_absent_weights_are_reported_when_a_clip_comes(
    tmp_path: Path, chirps: Waveform
) -> None:
    frontend = Yamnet(tmp_path)
    with pytest.raises(FrontEndError, match="frontends fetch yamnet"):
        frontend.extract(chirps)


CANONICAL_STRONGEST = {713: 2.598, 77: 2.183, 460: 2.113, 146: 1.714}
CANONICAL_NORM = 8.03177


def test_canonical_vector(yamnet: Yamnet, chirps: Waveform) -> None:
    rows = yamnet.extract(chirps)
    assert rows.shape == (5, 1024)
    assert rows.dtype == np.float32
    pooled = yamnet.pool(rows)
    values = {column: float(pooled[column]) for column in CANONICAL_STRONGEST}
    assert values == pytest.approx(CANONICAL_STRONGEST, rel=0.03)
    assert set(pooled.argsort()[-4:].tolist()) == set(CANONICAL_STRONGEST)
    assert np.linalg.norm(pooled) == pytest.approx(CANONICAL_NORM, rel=0.01)


def test_rows_are_those_of_each_window_alone(yamnet: Yamnet, chirps: Waveform) -> None:
    rows = yamnet.extract(chirps)
    for number in (4, 0, 2):
        part = chirps.samples[number * HOP : number * HOP + WINDOW]
        assert np.array_equal(yamnet.extract(Waveform(part, 16_000))[0], rows[number])


def test_threads_share_one_front_end(yamnet: Yamnet, chirps: Waveform) -> None:
    clips = [Waveform(chirps.samples[1000 * n :], 16_000) for n in range(6)]
    expected = [yamnet.extract(clip) for clip in clips]
    with ThreadPoolExecutor(4) as pool:
        for got, wanted in zip(pool.map(yamnet.extract, clips), expected, strict=True):
            assert np.array_equal(got, wanted)
