from __future__ import annotations

import numpy as np
import pytest

from crossmodal.errors import ShapeError
from crossmodal.frontends.framestats import AT, DIM, POOLED_AT, FrameStats
from crossmodal.frontends.timeline import LAGS, RATES_HZ
from crossmodal.media.tracks import Frames


def clip(pixels: np.ndarray) -> Frames:
    return Frames(pixels.astype(np.uint8), np.arange(len(pixels)) / 10)


def pooled(frames: Frames) -> np.ndarray:
    frontend = FrameStats()
    return frontend.pool(frontend.extract(frames))


def blank(count: int, level: int = 100) -> np.ndarray:
    return np.full((count, 36, 48, 3), level, dtype=np.uint8)


def jumping(moments: list[int], count: int = 40) -> Frames:
    """A white square that changes its place at the given frames and rests between."""
    pixels = blank(count)
    row, column = 26, 26
    for number in range(count):
        if number in moments:
            column = 66 - column  # 26 or 40: both in the lower right quarter
        pixels[number, row : row + 6, column : column + 6] = 255
    return clip(pixels)


def test_the_spec_says_what_comes_out(crossing: Frames) -> None:
    frontend = FrameStats()
    rows = frontend.extract(crossing)
    assert rows.dtype == np.float32
    assert rows.shape == (30, frontend.spec.dim)
    assert frontend.pool(rows).shape == (frontend.spec.pooled_dim,)
    assert frontend.spec.step_s == 0.1


def test_a_still_picture_has_one_row_without_motion_or_foreground() -> None:
    chance = np.random.default_rng(0)
    rows = FrameStats().extract(clip(chance.integers(0, 256, (1, 36, 48, 3))))
    assert len(rows) == 1
    for name in ("motion", "motion_total", "motion_onset", "flash", "fade", "foreground"):
        assert not rows[:, AT[name]].any()
    row = FrameStats().pool(rows)
    assert np.isfinite(row).all()
    for name in ("motion_envelope", "motion_rhythm", "flash_envelope", "x_contour"):
        assert not row[POOLED_AT[name]].any()


def test_plain_colors_show_in_mean_deviation_and_hue() -> None:
    pixels = blank(1)
    pixels[:, :, :24] = (255, 0, 0)
    pixels[:, :, 24:] = (0, 0, 255)
    row = FrameStats().extract(clip(pixels))[0]
    assert row[AT["color_mean"]].tolist() == pytest.approx([0.5, 0, 0.5])
    assert row[AT["color_deviation"]].tolist() == pytest.approx([0.5, 0, 0.5], abs=1e-3)
    assert row[AT["hue"]].tolist() == pytest.approx([0.5] + 7 * [0] + [0.5] + 3 * [0])
    brightness = row[AT["brightness"]].reshape(3, 4)
    assert (brightness[:, :2] > brightness[:, 2:]).all()


def test_a_vertical_edge_is_a_gradient_along_x() -> None:
    pixels = blank(1, level=0)
    pixels[:, :, 24:] = 200
    row = FrameStats().extract(clip(pixels))[0]
    assert row[AT["edges"]].tolist() == [1] + [0] * 7
    density = row[AT["edge_density"]].reshape(3, 4)
    assert (density[:, 1:3] > 0).all()
    assert not density[:, [0, 3]].any()


def test_a_crossing_square_is_followed_from_left_to_right(crossing: Frames) -> None:
    rows = FrameStats().extract(crossing)
    x = rows[:, AT["foreground_where"]][:, 0]
    centers = 2 * (3 * np.arange(30) // 2 + 2) / 48 - 1
    np.testing.assert_allclose(x, centers, atol=0.04)
    np.testing.assert_allclose(rows[:, AT["foreground_where"]][:, 1], 0.0, atol=0.04)
    assert rows[5:25, AT["foreground_area"]].mean() == pytest.approx(
        8 * 4 / (36 * 48), rel=0.1
    )
    assert rows[:, AT["foreground_hue"]][:, 0].min() > 0.9  # the square is red
    contour = FrameStats().pool(rows)[POOLED_AT["x_contour"]][:7]
    assert (np.diff(contour) > 0.1).all()


def test_motion_shows_in_the_bin_and_the_cell_where_it_happens() -> None:
    frames = jumping([12, 28])
    row = pooled(frames)
    motion = FrameStats().extract(frames)[:, AT["motion"]].mean(axis=0)
    assert motion[[10, 11]].min() > 0  # the lowest row of three, the two right columns
    assert motion[[10, 11]].sum() > 0.99 * motion.sum()
    envelope = row[POOLED_AT["motion_envelope"]]
    assert set(np.flatnonzero(envelope > 0.6)) <= {6, 7, 14, 15}
    assert envelope[6] > 0.6  # 1.2 s
    assert envelope[14] > 0.6  # 2.8 s
    assert envelope[[2, 3, 10, 11, 18, 19]].max() == 0
    assert row[POOLED_AT["motion_onset_envelope"]].argmax() in {6, 14}


def test_two_jumps_a_second_show_in_lag_and_rate() -> None:
    values = pooled(jumping(list(range(3, 48, 5)), count=48))[POOLED_AT["motion_rhythm"]]
    assert 3 + int(values[2:8].argmax()) == 5  # lags of 0.1 s
    assert RATES_HZ[values[LAGS:].argmax()] == pytest.approx(2.0)


def test_a_flash_and_its_end_are_told_apart() -> None:
    pixels = blank(20, level=40)
    pixels[8:11] = 220
    rows = FrameStats().extract(clip(pixels))
    assert rows[:, AT["flash"]].ravel().argmax() == 8
    assert rows[:, AT["fade"]].ravel().argmax() == 11
    assert rows[8, AT["flash"]] == pytest.approx(180 / 255, abs=0.01)


def test_motion_at_a_steady_pace_is_steady_though_frames_were_sampled_unevenly() -> None:
    at_15_fps = np.zeros((40, 36, 48, 3), dtype=np.uint8)
    for number in range(40):
        at_15_fps[number, 8:30, number : number + 4] = 255
    sampled = clip(at_15_fps[(np.arange(26) * 1.5 + 1e-6).astype(int)])
    motion = FrameStats().extract(sampled)[2:, AT["motion_total"]]
    assert motion.std() < 0.03 * motion.mean()


def test_noise_of_the_camera_is_neither_motion_nor_foreground() -> None:
    chance = np.random.default_rng(0)
    noisy = blank(20).astype(int) + chance.integers(-2, 3, (20, 36, 48, 3))
    rows = FrameStats().extract(clip(noisy))
    assert not rows[:, AT["motion_total"]].any()
    assert not rows[:, AT["foreground_area"]].any()


def test_a_clip_gives_the_same_bits_alone_and_after_others(crossing: Frames) -> None:
    frontend = FrameStats()
    alone = frontend.pool(frontend.extract(crossing))
    frontend.pool(frontend.extract(jumping([4, 9])))
    assert np.array_equal(frontend.pool(frontend.extract(crossing)), alone)


def test_the_input_is_left_untouched(crossing: Frames) -> None:
    before = crossing.pixels.copy()
    rows = FrameStats().extract(crossing)
    kept = rows.copy()
    FrameStats().pool(rows)
    assert np.array_equal(crossing.pixels, before)
    assert np.array_equal(rows, kept)


CANONICAL_NORMS = {
    "mean": 2.31734,
    "deviation": 0.78058,
    "motion_envelope": 3.29512,
    "motion_onset_envelope": 2.72584,
    "flash_envelope": 0.00000,
    "area_envelope": 4.00000,
    "motion_rhythm": 1.67875,
    "motion_onset_rhythm": 1.41665,
    "x_contour": 1.80034,
    "y_contour": 0.00000,
    "where_deviation": 1.49160,
    "peaks": 0.14658,
}


def test_canonical_vector(crossing: Frames) -> None:
    row = FrameStats().pool(FrameStats().extract(crossing))
    norms = {part: float(np.linalg.norm(row[at])) for part, at in POOLED_AT.items()}
    assert norms == pytest.approx(CANONICAL_NORMS, rel=1e-3, abs=1e-5)


def test_rows_of_another_width_are_refused() -> None:
    with pytest.raises(ShapeError, match=f"{DIM}"):
        FrameStats().pool(np.zeros((3, DIM - 1), dtype=np.float32))
