from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from crossmodal.errors import FrontEndError, ShapeError
from crossmodal.frontends.mobilenet import Mobilenet
from crossmodal.media.tracks import Frames


@pytest.fixture(scope="module")
def mobilenet(encoders_directory: Path) -> Mobilenet:
    return Mobilenet(encoders_directory)


@pytest.fixture(scope="module")
def discs() -> Frames:
    """Three pictures of an orange disc of growing size on a green gradient."""
    rows, columns = np.mgrid[0:224, 0:224]
    pixels = np.stack([rows // 2, 100 + rows // 3, 255 - columns], axis=2)
    frames = np.repeat(pixels[None].astype(np.uint8), 3, axis=0)
    for number in range(3):
        inside = np.hypot(rows - 110, columns - 120) < 30 * (number + 1)
        frames[number, inside] = (240, 130, 20)
    return Frames(frames, np.arange(3) / 1.0)


def test_pooling_is_the_mean_and_needs_no_weights(tmp_path: Path) -> None:
    rows = np.stack([np.zeros(1024), np.full(1024, 3.0)]).astype(np.float32)
    assert Mobilenet(tmp_path).pool(rows).tolist() == [1.5] * 1024
    with pytest.raises(ShapeError, match="1024"):
        Mobilenet(tmp_path).pool(rows[:, 1:])


def test_absent_weights_are_reported_when_a_clip_comes(
    tmp_path: Path, discs: Frames
) -> None:
    with pytest.raises(FrontEndError, match="frontends fetch mobilenet"):
        Mobilenet(tmp_path).extract(discs)


def test_frames_of_another_size_are_refused(tmp_path: Path, crossing: Frames) -> None:
    with pytest.raises(ShapeError, match="224x224"):
        Mobilenet(tmp_path).extract(crossing)


CANONICAL_STRONGEST = {264: 5.035, 663: 4.659, 625: 4.117, 664: 4.117}
CANONICAL_NORM = 30.3527


def test_canonical_vector(mobilenet: Mobilenet, discs: Frames) -> None:
    rows = mobilenet.extract(discs)
    assert rows.shape == (3, 1024)
    assert rows.dtype == np.float32
    pooled = mobilenet.pool(rows)
    values = {column: float(pooled[column]) for column in CANONICAL_STRONGEST}
    assert values == pytest.approx(CANONICAL_STRONGEST, rel=0.03)
    assert set(pooled.argsort()[-4:].tolist()) == set(CANONICAL_STRONGEST)
    assert np.linalg.norm(pooled) == pytest.approx(CANONICAL_NORM, rel=0.01)


def test_values_are_steps_of_the_scale_in_the_file(
    mobilenet: Mobilenet, discs: Frames
) -> None:
    steps = mobilenet.extract(discs) / np.float32(0.023528477)
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-3)
    assert steps.min() >= 0
    assert steps.max() <= 255


def test_a_still_picture_gives_one_row_equal_to_its_own_in_a_film(
    mobilenet: Mobilenet, discs: Frames
) -> None:
    rows = mobilenet.extract(discs)
    for number in (2, 0):
        still = Frames(discs.pixels[number : number + 1], np.zeros(1))
        assert np.array_equal(mobilenet.extract(still), rows[number : number + 1])


def test_threads_share_one_front_end(mobilenet: Mobilenet, discs: Frames) -> None:
    stills = [Frames(discs.pixels[n % 3 : n % 3 + 1], np.zeros(1)) for n in range(6)]
    expected = [mobilenet.extract(still) for still in stills]
    with ThreadPoolExecutor(4) as pool:
        for got, wanted in zip(pool.map(mobilenet.extract, stills), expected, strict=True):
            assert np.array_equal(got, wanted)
