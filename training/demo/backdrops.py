"""Backdrops: the surroundings that all classes share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from training.demo.events import Chance, draw_between
from training.demo.picture import (
    HEIGHT,
    OVERSAMPLING,
    WIDTH,
    Canvas,
    Color,
    blend,
    faded,
    hsv,
)


@dataclass(frozen=True, slots=True)
class Tone:
    """The color mood of a backdrop: hue in turns, saturation and brightness in [0, 1]."""

    hue: float
    saturation: float
    brightness: float

    def shade(self, lighter: float = 0.0, turn: float = 0.0, purer: float = 0.0) -> Color:
        """Return a color of the mood: lighter or darker, turned in hue, purer or grayer."""
        saturation = min(1.0, max(0.0, self.saturation + purer))
        return hsv(self.hue + turn, saturation, self.brightness * (1 + lighter))


def gradient(top: Color, bottom: Color, chance: Chance) -> Canvas:
    """Return a canvas that runs from one color to another, with a faint grain."""
    share = np.linspace(0, 1, HEIGHT * OVERSAMPLING)[:, None, None]
    column = np.array(top) + share * (np.array(bottom) - np.array(top))
    grain = chance.normal(0, 2.5, (HEIGHT, WIDTH, 1)).repeat(OVERSAMPLING, 0)
    pixels = column + grain.repeat(OVERSAMPLING, 1)
    return Canvas.from_pixels(np.clip(pixels, 0, 255).round().astype(np.uint8))


def paint_wall(tone: Tone, chance: Chance) -> Canvas:
    """Paint a lit wall over a floor with a skirting board."""
    canvas = gradient(tone.shade(0.15), tone.shade(-0.15), chance)
    canvas.glow(
        (draw_between(chance, 60, 260), draw_between(chance, 20, 110)),
        draw_between(chance, 120, 220),
        tone.shade(0.6, purer=-0.2),
        0.6,
    )
    floor = draw_between(chance, 186, 206)
    turn = draw_between(chance, -0.15, 0.15)
    canvas.box((0, floor), (WIDTH, HEIGHT - floor), tone.shade(-0.4, turn, 0.1))
    canvas.box((0, floor - 6), (WIDTH, 7), tone.shade(0.3, turn, -0.2))
    return canvas


def paint_stripes(tone: Tone, chance: Chance) -> Canvas:
    """Paint wallpaper with slanted stripes."""
    canvas = gradient(tone.shade(0.1), tone.shade(-0.1), chance)
    pitch = draw_between(chance, 22, 56)
    slant = draw_between(chance, -120, 120)
    paint = faded(tone.shade(0.25, draw_between(chance, -0.1, 0.1)), 0.45)
    for left in np.arange(-160, WIDTH + 160, pitch):
        canvas.polygon(
            [
                (left, 0),
                (left + pitch / 2, 0),
                (left + pitch / 2 + slant, HEIGHT),
                (left + slant, HEIGHT),
            ],
            paint,
        )
    return canvas


def paint_bokeh(tone: Tone, chance: Chance) -> Canvas:
    """Paint blurred lights far behind."""
    canvas = gradient(tone.shade(-0.2), tone.shade(-0.5, 0.05), chance)
    for _ in range(int(chance.integers(14, 26))):
        center = draw_between(chance, 0, WIDTH), draw_between(chance, 0, HEIGHT)
        radius = draw_between(chance, 8, 30)
        color = tone.shade(0.7, draw_between(chance, -0.12, 0.12))
        canvas.ellipse(center, (radius, radius), faded(color, 0.22))
        canvas.glow(center, 1.6 * radius, color, 0.3)
    return canvas


def paint_tiles(tone: Tone, chance: Chance) -> Canvas:
    """Paint a wall of tiles, each a shade off its neighbors."""
    canvas = gradient(tone.shade(-0.5), tone.shade(-0.55), chance)
    size = float(chance.integers(24, 48))
    for top in np.arange(-size / 2, HEIGHT, size):
        for left in np.arange(-size / 3, WIDTH, size):
            shade = tone.shade(draw_between(chance, -0.14, 0.14))
            canvas.box((left + 1, top + 1), (size - 2, size - 2), shade, radius=3)
    return canvas


def _paint_sky(tone: Tone, chance: Chance) -> Canvas:
    turn = draw_between(chance, -0.12, 0.12)
    canvas = gradient(tone.shade(-0.15), tone.shade(0.3, turn, -0.15), chance)
    light = draw_between(chance, 30, 290), draw_between(chance, 22, 90)
    if tone.brightness < 0.4:
        for _ in range(40):
            star = draw_between(chance, 0, WIDTH), draw_between(chance, 0, 150)
            canvas.ellipse(star, (0.6, 0.6), faded((255, 255, 240), chance.uniform(0.3, 1)))
    canvas.glow(light, draw_between(chance, 50, 110), (255, 250, 225), 0.5)
    radius = draw_between(chance, 8, 15)
    canvas.ellipse(light, (radius, radius), faded((255, 250, 225), 0.85))
    return canvas


def paint_hills(tone: Tone, chance: Chance) -> Canvas:
    """Paint hills under the sky, the nearer the darker."""
    canvas = _paint_sky(tone, chance)
    turn = draw_between(chance, -0.35, 0.35)
    x = np.arange(0, WIDTH + 8, 8.0)
    for layer in range(3):
        height = 140 + 28 * layer + draw_between(chance, -10, 10)
        ridge = np.full_like(x, height)
        for _ in range(2):
            length, phase = draw_between(chance, 90, 330), chance.uniform(0, 6.28)
            ridge -= draw_between(chance, 3, 16) * np.sin(2 * np.pi * x / length + phase)
        shade = blend(tone.shade(0.1, turn), tone.shade(-0.6, turn, 0.15), layer / 2)
        outline = list(zip(x.tolist(), ridge.tolist(), strict=True))
        canvas.polygon([(0, HEIGHT), *outline, (WIDTH, HEIGHT)], shade)
    return canvas


def paint_city(tone: Tone, chance: Chance) -> Canvas:
    """Paint a skyline with lit windows."""
    canvas = _paint_sky(tone, chance)
    left = -10.0
    glass = hsv(draw_between(chance, 0.08, 0.16), 0.45, min(1, 0.5 + tone.brightness))
    while left < WIDTH:
        width = draw_between(chance, 24, 52)
        top = draw_between(chance, 88, 168)
        shade = tone.shade(-0.55 + draw_between(chance, -0.08, 0.08))
        canvas.box((left, top), (width - 2, HEIGHT - top), shade)
        for y in np.arange(top + 6, HEIGHT - 30, 11):
            for x in np.arange(left + 5, left + width - 8, 9):
                if chance.random() < 0.4:
                    canvas.box((x, y), (4, 6), faded(glass, 0.75))
        left += width
    canvas.box((0, 212), (WIDTH, HEIGHT - 212), tone.shade(-0.7))
    return canvas


BACKDROPS: Mapping[str, Callable[[Tone, Chance], Canvas]] = {
    "wall": paint_wall,
    "stripes": paint_stripes,
    "bokeh": paint_bokeh,
    "tiles": paint_tiles,
    "hills": paint_hills,
    "city": paint_city,
}

INDOORS = ("wall", "stripes", "bokeh", "tiles")
OUTDOORS = ("hills", "city", "bokeh")
ANYWHERE = ("wall", "stripes", "bokeh", "tiles", "hills", "city")


def draw_tone(chance: Chance, brightness: tuple[float, float]) -> Tone:
    """Return a mood drawn by lot, its brightness from the range."""
    return Tone(
        hue=draw_between(chance, 0, 1),
        saturation=draw_between(chance, 0.1, 0.75),
        brightness=draw_between(chance, *brightness),
    )
