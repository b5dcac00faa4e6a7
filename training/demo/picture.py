"""Drawing: a canvas in picture coordinates, drawn large and shrunk to smooth edges."""

from __future__ import annotations

import colorsys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw

from training.demo.events import Real

WIDTH, HEIGHT = 320, 240
OVERSAMPLING = 2
SPOT_LEVELS = 32

Color = tuple[int, int, int]
Paint = tuple[int, int, int] | tuple[int, int, int, int]
Point = tuple[Real, Real]


def hsv(hue: Real, saturation: Real, value: Real) -> Color:
    """Return a color from hue (whole turns), saturation and value in [0, 1]."""
    red, green, blue = colorsys.hsv_to_rgb(hue % 1, saturation, min(1.0, max(0.0, value)))
    return round(255 * red), round(255 * green), round(255 * blue)


def blend(first: Color, second: Color, share: Real) -> Color:
    """Return the color that lies a share of the way from the first to the second."""
    share = min(1.0, max(0.0, share))
    red, green, blue = (
        round(a + share * (b - a)) for a, b in zip(first, second, strict=True)
    )
    return red, green, blue


def faded(color: Color, opacity: Real) -> Paint:
    """Return the color with an opacity in [0, 1]."""
    return (*color, round(255 * min(1.0, max(0.0, opacity))))


def turned(points: Iterable[Point], angle: Real, center: Point) -> list[Point]:
    """Return points about the origin turned by an angle (radians) and moved."""
    cosine, sine = float(np.cos(angle)), float(np.sin(angle))
    return [
        (center[0] + cosine * x - sine * y, center[1] + sine * x + cosine * y)
        for x, y in points
    ]


@dataclass(frozen=True, slots=True)
class Spot:
    """A soft, round spot of light, fading to nothing at its radius."""

    center: Point
    radius: Real
    color: Color
    strength: Real


Grade = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]
"""What each level of red, green and blue becomes: how a camera takes colors."""


class Canvas:
    """A picture of WIDTH by HEIGHT; coordinates in pixels from the upper left.

    Colors with a fourth value are laid over what is there.
    """

    def __init__(self, image: Image.Image, grade: Grade | None = None) -> None:
        self._image = image
        self._grade = grade
        # An opaque pen fills several times faster than one that blends.
        self._opaque = ImageDraw.Draw(image)
        self._blending = ImageDraw.Draw(image, "RGBA")
        self._shining: list[Spot] = []

    @classmethod
    def from_pixels(cls, pixels: UInt8[np.ndarray, "height width 3"]) -> Canvas:
        """Return a canvas of the pixels, which have the oversampled size."""
        return cls(Image.fromarray(pixels))

    def graded(self, grade: Grade) -> Canvas:
        """Return a canvas with the graded picture, which grades what is painted on it.

        Grading each color as it is laid saves grading each frame pixel by pixel.
        """
        return Canvas(
            self._image.point([level for curve in grade for level in curve]), grade
        )

    def copy(self) -> Canvas:
        """Return another canvas with the same picture."""
        return Canvas(self._image.copy(), self._grade)

    def restart(self, still: Canvas) -> None:
        """Take over the picture of another canvas in place of what has been painted."""
        self._image.paste(still._image)
        self._shining.clear()

    def shrunk(self) -> Image.Image:
        """Return the picture at its final size."""
        picture = self._image.reduce(OVERSAMPLING)
        for spot in self._shining:
            _lay_spot(picture, 1, spot)
        return picture

    def ellipse(
        self,
        center: Point,
        radii: Point,
        fill: Paint | None = None,
        outline: Paint | None = None,
        width: Real = 1,
    ) -> None:
        """Draw an ellipse with upright axes."""
        pen = self._pen(fill, outline)
        inks = self._ink(fill), self._ink(outline)
        pen.ellipse(_bounds(center, radii), *inks, round(OVERSAMPLING * width))

    def sector(
        self, center: Point, radii: Point, start: Real, end: Real, fill: Paint
    ) -> None:
        """Draw a sector; angles in degrees, clockwise from three o'clock."""
        self._pen(fill).pieslice(_bounds(center, radii), start, end, self._ink(fill))

    def arc(
        self,
        center: Point,
        radii: Point,
        start: Real,
        end: Real,
        fill: Paint,
        width: Real,
    ) -> None:
        """Draw an arc; angles in degrees, clockwise from three o'clock."""
        thickness = round(OVERSAMPLING * width)
        self._pen(fill).arc(_bounds(center, radii), start, end, self._ink(fill), thickness)

    def polygon(self, points: Iterable[Point], fill: Paint) -> None:
        """Draw a filled polygon."""
        scaled = [(OVERSAMPLING * x, OVERSAMPLING * y) for x, y in points]
        self._pen(fill).polygon(scaled, self._ink(fill))

    def line(self, points: Iterable[Point], fill: Paint, width: Real) -> None:
        """Draw a line through the points, with rounded bends."""
        scaled = [(OVERSAMPLING * x, OVERSAMPLING * y) for x, y in points]
        thickness = round(OVERSAMPLING * width)
        self._pen(fill).line(scaled, self._ink(fill), thickness, joint="curve")

    def rod(self, start: Point, end: Point, fill: Color, width: Real) -> None:
        """Draw a straight line with round ends."""
        self.line([start, end], fill, width)
        for point in (start, end):
            self.ellipse(point, (width / 2, width / 2), fill)

    def box(
        self,
        corner: Point,
        size: Point,
        fill: Paint,
        radius: Real = 0,
        outline: Paint | None = None,
        width: Real = 1,
    ) -> None:
        """Draw an upright rectangle with rounded corners, from its upper left corner."""
        left, top = (OVERSAMPLING * value for value in corner)
        wide, tall = (OVERSAMPLING * value for value in size)
        self._pen(fill, outline).rounded_rectangle(
            [left, top, left + wide - 1, top + tall - 1],
            OVERSAMPLING * radius,
            self._ink(fill),
            self._ink(outline),
            round(OVERSAMPLING * width),
        )

    def glow(self, center: Point, radius: Real, color: Color, strength: Real) -> None:
        """Lay a soft spot of light over what is there; strength in [0, 1]."""
        _lay_spot(self._image, OVERSAMPLING, self._spot(center, radius, color, strength))

    def shine(self, center: Point, radius: Real, color: Color, strength: Real) -> None:
        """Lay a soft spot of light over the finished picture; strength in [0, 1].

        It costs a quarter of ``glow``: it is laid after shrinking.
        """
        self._shining.append(self._spot(center, radius, color, strength))

    def _spot(self, center: Point, radius: Real, color: Color, strength: Real) -> Spot:
        red, green, blue = self._ink(color) or color
        return Spot(center, radius, (red, green, blue), strength)

    def _pen(self, *paints: Paint | None) -> ImageDraw.ImageDraw:
        plain = all(paint is None or len(paint) == 3 for paint in paints)
        return self._opaque if plain else self._blending

    def _ink(self, paint: Paint | None) -> tuple[int, ...] | None:
        if paint is None or self._grade is None:
            return paint
        color = (curve[level] for curve, level in zip(self._grade, paint, strict=False))
        return (*color, *paint[3:])


def _bounds(center: Point, radii: Point) -> tuple[Real, Real, Real, Real]:
    (x, y), (wide, tall) = center, radii
    return (
        OVERSAMPLING * (x - wide),
        OVERSAMPLING * (y - tall),
        OVERSAMPLING * (x + wide),
        OVERSAMPLING * (y + tall),
    )


def _lay_spot(image: Image.Image, scale: int, spot: Spot) -> None:
    size = 8 * max(1, round(2 * scale * spot.radius / 8))
    level = round(SPOT_LEVELS * min(1.0, max(0.0, spot.strength)))
    if level:
        left, top = (round(scale * middle - size / 2) for middle in spot.center)
        image.paste(spot.color, (left, top), _spot_mask(size, level))


@lru_cache(maxsize=256)
def _spot_mask(size: int, level: int) -> Image.Image:
    axis = np.linspace(-1, 1, size)
    distance = np.sqrt(axis[:, None] ** 2 + axis[None, :] ** 2)
    falloff = np.clip(1 - distance, 0, 1) ** 2
    return Image.fromarray(np.round(255 * level / SPOT_LEVELS * falloff).astype(np.uint8))
