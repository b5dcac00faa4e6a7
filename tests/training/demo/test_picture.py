import numpy as np
import pytest

from training.demo.picture import (
    HEIGHT,
    OVERSAMPLING,
    WIDTH,
    Canvas,
    blend,
    faded,
    hsv,
    turned,
)

RED, BLUE = (255, 0, 0), (0, 0, 255)


def black() -> Canvas:
    size = (HEIGHT * OVERSAMPLING, WIDTH * OVERSAMPLING, 3)
    return Canvas.from_pixels(np.zeros(size, np.uint8))


def pixels(canvas: Canvas) -> np.ndarray:
    return np.asarray(canvas.shrunk())


def test_hsv_knows_the_primary_colors_and_turns_hue_around() -> None:
    assert hsv(0, 1, 1) == RED
    assert hsv(2 / 3, 1, 1) == BLUE
    assert hsv(1 / 3 - 1, 1, 1) == hsv(1 / 3, 1, 1) == (0, 255, 0)


def test_blend_runs_from_first_to_second() -> None:
    assert blend(RED, BLUE, 0) == RED
    assert blend(RED, BLUE, 1) == BLUE
    assert blend((0, 100, 200), (100, 100, 0), 0.5) == (50, 100, 100)


def test_turned_by_a_quarter_takes_right_to_down() -> None:
    assert turned([(2, 0)], np.pi / 2, (10, 10))[0] == pytest.approx((10, 12))


def test_ellipse_covers_its_area() -> None:
    canvas = black()
    canvas.ellipse((160, 120), (40, 20), RED)
    covered = pixels(canvas)[..., 0].sum() / 255
    assert covered == pytest.approx(np.pi * 40 * 20, rel=0.03)


def test_edges_are_smooth() -> None:
    canvas = black()
    canvas.polygon([(50, 50), (250, 80), (120, 200)], RED)
    levels = set(pixels(canvas)[..., 0].ravel().tolist())
    assert levels - {0, 255}


def test_faded_paint_lets_through_what_is_below() -> None:
    canvas = black()
    canvas.box((0, 0), (WIDTH, HEIGHT), RED)
    canvas.box((0, 0), (WIDTH, HEIGHT), faded(BLUE, 0.5))
    assert pixels(canvas)[120, 160].tolist() == pytest.approx([127, 0, 128], abs=1)


def test_shine_lies_over_what_is_painted_later_and_glow_under_it() -> None:
    for lay, expected in (("glow", 0), ("shine", 255)):
        canvas = black()
        getattr(canvas, lay)((160, 120), 50, (255, 255, 255), 1.0)
        canvas.box((0, 0), (WIDTH, HEIGHT), (0, 0, 0))
        assert pixels(canvas).max() == pytest.approx(expected, abs=12)


def test_restart_forgets_what_was_painted_and_what_shone() -> None:
    still = black()
    canvas = still.copy()
    canvas.ellipse((100, 100), (30, 30), RED)
    canvas.shine((200, 100), 30, BLUE, 1.0)
    canvas.restart(still)
    assert not pixels(canvas).any()


def test_grade_is_the_same_before_painting_and_on_what_is_painted() -> None:
    halved = tuple(level // 2 for level in range(256))
    kept = tuple(range(256))
    before = black()
    before.box((0, 0), (WIDTH, HEIGHT), (200, 100, 50))
    after = black().graded((halved, kept, halved))
    after.box((0, 0), (WIDTH, HEIGHT), (200, 100, 50))
    expected = [100, 100, 25]
    assert pixels(before.graded((halved, kept, halved)))[0, 0].tolist() == expected
    assert pixels(after)[0, 0].tolist() == expected
