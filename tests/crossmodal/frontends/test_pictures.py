from __future__ import annotations

import colorsys

import numpy as np
import pytest

from crossmodal.frontends.pictures import (
    GRID,
    HUES,
    ORIENTATIONS,
    background,
    cell_means,
    gradients,
    gray_levels,
    hues,
    shares,
    where,
)


def plain(color: tuple[int, int, int], count: int = 1) -> np.ndarray:
    return np.broadcast_to(
        np.array(color, dtype=np.uint8)[:, None, None, None], (3, count, 12, 16)
    ).copy()


def test_gray_levels_are_those_of_bt601() -> None:
    for color in [(255, 255, 255), (0, 0, 0), (200, 50, 120), (0, 255, 0)]:
        exact = 0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2]
        assert gray_levels(plain(color))[0, 0, 0] == pytest.approx(exact, abs=1.0)


def test_hue_bins_agree_with_colorsys() -> None:
    chance = np.random.default_rng(1)
    colors = chance.integers(0, 256, (500, 3)).astype(np.uint8)
    bins, chroma = hues(colors.T.reshape(3, 1, 20, 25))
    for color, got, strength in zip(colors, bins.ravel(), chroma.ravel(), strict=True):
        red, green, blue = (int(level) / 255 for level in color)
        span = max(red, green, blue) - min(red, green, blue)
        assert strength == pytest.approx(span, abs=2 * 8 / 255)
        if span > 0.3:  # of gray colors the hue is chance
            turn = colorsys.rgb_to_hsv(red, green, blue)[0] * HUES
            apart = abs((turn - int(got) + HUES / 2) % HUES - HUES / 2)
            assert apart <= 0.5 + 0.3  # half a bin, and what 5 bits leave


@pytest.mark.parametrize(
    ("slope", "expected"),
    [((0, 4), 0), ((4, 4), 2), ((4, 0), 4), ((4, -4), 6), ((0, -4), 0), ((-4, 0), 4)],
)
def test_a_ramp_has_the_orientation_of_its_slope(
    slope: tuple[int, int], expected: int
) -> None:
    rows, columns = np.mgrid[0:12, 0:16]
    gray = (120 + slope[0] * rows + slope[1] * columns).astype(np.int16)[None]
    bins, strength = gradients(gray)
    inside = (slice(None), slice(1, -1), slice(1, -1))
    assert set(bins[inside].ravel()) == {expected}
    np.testing.assert_allclose(strength[inside], np.hypot(*slope) * 2 / 256, atol=1e-6)
    assert not strength[:, 0].any()
    assert not strength[:, :, -1].any()


def test_the_steepest_edges_fit_the_table() -> None:
    gray = np.zeros((1, 12, 16), dtype=np.int16)
    gray[:, 6:, 8:] = 255
    for picture in (gray, 255 - gray):
        bins, strength = gradients(picture)
        assert bins.max() < ORIENTATIONS
        assert strength.max() == pytest.approx(np.hypot(1, 1), abs=0.01)


def test_background_is_the_median_over_time() -> None:
    channels = plain((10, 20, 30), count=9)
    channels[:, 4, 3, 5] = 250  # passes through a pixel once
    assert np.array_equal(background(channels, 9), plain((10, 20, 30)))
    assert np.array_equal(background(plain((7, 7, 7)), 15), plain((7, 7, 7)))


def test_cells_are_numbered_from_the_top_left_row_by_row() -> None:
    planes = np.zeros((2, 12, 16), dtype=np.float32)
    planes[1, 8:, 4:8] = 1.0  # last of three rows, second of four columns
    means = cell_means(planes)
    assert means.shape == (2, GRID[0] * GRID[1])
    assert not means[0].any()
    assert means[1].tolist() == [0] * 9 + [1, 0, 0]


def test_where_gives_center_and_spread_by_hand() -> None:
    planes = np.zeros((3, 12, 16), dtype=np.float32)
    planes[0, 0, 15] = 2.0
    planes[1, 3, :] = 1.0
    x, y, x_spread, y_spread = where(planes).T
    assert (x[0], y[0]) == pytest.approx((15 / 16, -11 / 12))
    assert (x_spread[0], y_spread[0]) == pytest.approx((0, 0), abs=1e-6)
    assert (x[1], y[1]) == pytest.approx((0, -5 / 12))
    assert x_spread[1] == pytest.approx(np.std((2 * np.arange(16) + 1) / 16 - 1))
    assert where(planes)[2].tolist() == [0, 0, 0, 0]


def test_shares_count_weight_per_frame_of_all_pixels_and_of_the_masked() -> None:
    bins = np.array([[[0, 1], [1, 2]], [[0, 0], [0, 0]]], dtype=np.uint8)
    weights = np.array([[[1, 2], [1, 0]], [[0, 0], [0, 0]]], dtype=np.float32)
    mask = np.array([[[True, True], [False, True]], [[True, True], [False, False]]])
    everywhere, inside = shares(bins, weights, 3, mask)
    assert everywhere.tolist() == [[0.25, 0.75, 0], [0, 0, 0]]
    assert inside[0].tolist() == pytest.approx([1 / 3, 2 / 3, 0])
    assert inside[1].tolist() == [0, 0, 0]
