"""Church bell."""

from __future__ import annotations

import math

from training.demo.backdrops import ANYWHERE
from training.demo.events import Chance, Event, beats, draw_between, draw_log, ringing
from training.demo.picture import HEIGHT, Canvas, blend, faded, hsv, turned
from training.demo.scene import Look
from training.demo.sound import Samples, burst, mix, struck

# hum, prime, minor third, fifth, nominal and two above: the partials a bell is tuned to
RATIOS = (0.5, 1.0, 1.2, 1.5, 2.0, 2.67, 4.1)
LEVELS = (0.5, 0.8, 0.7, 0.35, 1.0, 0.5, 0.3)
DECAYS = (1.0, 0.8, 0.7, 0.45, 0.4, 0.22, 0.1)


class Bell:
    """A church bell that swings and is struck at the end of every swing.

    Event model: a pulse with slight jitter, strokes on the left and the right side in
    turn (place 0 and 1).

    Heard and seen: strokes (clapper, gleam, rings in the air), tempo, the bell's size (a
    bigger one sounds lower and longer).
    """

    look = Look(ANYWHERE)

    def __init__(self, chance: Chance, duration_s: float) -> None:
        self.duration_s = duration_s
        self.size = draw_between(chance, 0.62, 1.1)
        self.pitch_hz = 330 / self.size**1.6 * draw_between(chance, 0.92, 1.08)
        self.period_s = draw_log(chance, 0.5, 1.5)
        self.events = tuple(
            Event(onset_s, draw_between(chance, 0.7, 1), number % 2)
            for number, onset_s in enumerate(beats(chance, duration_s, self.period_s, 0.03))
        )
        self.swing = draw_between(chance, 0.3, 0.55)
        self.x = draw_between(chance, 110, 210)
        self.metal = hsv(
            draw_between(chance, 0.03, 0.55),
            chance.uniform(0.3, 0.75),
            chance.uniform(0.5, 0.9),
        )
        self.stone = hsv(
            chance.random(), draw_between(chance, 0.05, 0.35), chance.uniform(0.25, 0.85)
        )
        self.beam = hsv(0.08, 0.5, draw_between(chance, 0.2, 0.5))

    def sound(self, chance: Chance) -> Samples:
        """Return the strokes, ringing on over each other."""
        ring_s = 1.1 * self.size
        tone = struck(self.pitch_hz, RATIOS, LEVELS, [ring_s * decay for decay in DECAYS])
        clank = 0.8 * burst(chance, 0.012, 800, 6000)
        placed = []
        for event in self.events:
            placed += [(event.onset_s, event.strength * tone), (event.onset_s, clank)]
        return mix(self.duration_s, placed)

    def paint_still(self, canvas: Canvas) -> None:
        """Paint the belfry: two pillars, an arch and the beam."""
        half = 78 * self.size + 26
        dark = blend(self.stone, (0, 0, 0), 0.3)
        for side in (-1, 1):
            left = self.x + side * half - 16
            canvas.box((left + 3, 40), (32, HEIGHT), (0, 0, 0, 70))
            canvas.box((left, 40), (32, HEIGHT), self.stone)
            for course in range(8):
                y = 62 + 24 * course
                canvas.line([(left, y), (left + 32, y)], dark, 1)
                canvas.line(
                    [
                        (left + 10 + 12 * (course % 2), y),
                        (left + 10 + 12 * (course % 2), y + 24),
                    ],
                    dark,
                    1,
                )
        canvas.polygon(
            [(self.x - half - 34, 42), (self.x, -30), (self.x + half + 34, 42)], dark
        )
        canvas.box((self.x - half, 40), (2 * half, 13), self.beam)

    def _angle(self, time_s: float) -> float:
        """Return the bell's angle in radians: at an extreme whenever it is struck."""
        onsets = [event.onset_s for event in self.events]
        after = next(
            (i for i, onset_s in enumerate(onsets) if onset_s > time_s), len(onsets)
        )
        start_s = onsets[after - 1] if after else onsets[0] - self.period_s
        end_s = onsets[after] if after < len(onsets) else start_s + self.period_s
        side = 1 if after % 2 else -1
        return (
            side * self.swing * math.cos(math.pi * (time_s - start_s) / (end_s - start_s))
        )

    def paint_moving(self, canvas: Canvas, time_s: float) -> None:
        """Paint the bell, its clapper and the rings of a stroke."""
        size, pivot = self.size, (self.x, 52.0)
        angle = self._angle(time_s)
        lit = ringing(self.events, time_s, 0.15)
        dark = blend(self.metal, (0, 0, 0), 0.45)
        swung = turned([(0, 138 * size)], angle * 1.28, pivot)[0]
        canvas.rod(pivot, swung, (60, 56, 60), 5 * size)
        canvas.ellipse(swung, (11 * size, 11 * size), (60, 56, 60))
        half = [
            (0, 8),
            (13, 10),
            (26, 22),
            (33, 46),
            (37, 78),
            (45, 104),
            (60, 122),
            (62, 130),
        ]
        outline = [(x * size, y * size) for x, y in half]
        mirrored = [(-x, y) for x, y in reversed(outline)]
        canvas.polygon(turned(outline + mirrored, angle, pivot), dark)
        shell = [(0.94 * x, 0.985 * y) for x, y in outline + mirrored]
        canvas.polygon(
            turned(shell, angle, pivot), blend(self.metal, (255, 255, 230), 0.6 * lit)
        )
        for wide, low, high in ((31, 40, 47), (43, 104, 111)):
            corners = ((-wide, low), (wide, low), (wide, high), (-wide, high))
            band = [(size * x, size * y) for x, y in corners]
            canvas.polygon(turned(band, angle, pivot), faded(dark, 0.6))
        shine = turned([(-14 * size, 60 * size)], angle, pivot)[0]
        canvas.shine(shine, 34 * size, (255, 255, 240), 0.45 + 0.5 * lit)
        mouth = turned([(0, 126 * size)], angle, pivot)[0]
        for event in self.events:
            age = (time_s - event.onset_s) / 0.5
            if 0 <= age < 1:
                reach = 30 + 70 * age
                paint = faded((255, 250, 220), 0.7 * (1 - age))
                side = 1 if event.place == 0 else -1
                start, end = (-30, 50) if side > 0 else (130, 210)
                center = (mouth[0] + side * 30 * size, mouth[1])
                canvas.arc(center, (reach, reach), start, end, paint, 3)
