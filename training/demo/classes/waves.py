"""Waves on a beach."""

from __future__ import annotations

import math

import numpy as np

from training.demo.events import Chance, Event, beats, draw_between, draw_log
from training.demo.picture import HEIGHT, WIDTH, Canvas, Paint, blend, faded, hsv
from training.demo.scene import Look
from training.demo.sound import Samples, noise, timeline


class Waves:
    """Waves that break and run up a beach while a boat rides the swell.

    Event model: breaks at a slow pulse with jitter, each of a strength; water rushes up
    the sand and drains back more slowly.

    Heard and seen: each break (hiss, foam running up), the swell's period, the strength
    of each wave.
    """

    look = Look(("hills", "bokeh", "city"))

    def __init__(self, chance: Chance, duration_s: float) -> None:
        self.duration_s = duration_s
        self.period_s = draw_log(chance, 0.95, 2.6)
        self.events = tuple(
            Event(onset_s, strength=chance.uniform(0.5, 1))
            for onset_s in beats(chance, duration_s, self.period_s, jitter=0.12)
        ) or (Event(duration_s / 2),)
        self.rise_s = 0.16 * self.period_s
        self.drain_s = 0.38 * self.period_s
        self.horizon = draw_between(chance, 96, 122)
        hue = draw_between(chance, 0.42, 0.68)
        value = draw_between(chance, 0.3, 0.9)
        self.deep = hsv(hue, draw_between(chance, 0.4, 0.85), 0.65 * value)
        self.shallow = hsv(hue - 0.06, draw_between(chance, 0.3, 0.7), value)
        self.sand = hsv(
            chance.uniform(0.05, 0.14), chance.uniform(0.15, 0.5), chance.uniform(0.4, 1)
        )
        self.boat_x = draw_between(chance, 50, 270)
        self.hull = hsv(chance.random(), 0.8, 0.7)
        self.sail = hsv(chance.random(), draw_between(chance, 0, 0.8), 0.98)
        self.drift = draw_between(chance, 8, 26) * float(chance.choice([-1, 1]))
        self.dull_hz = draw_log(chance, 350, 900)

    def rush(self, time_s: Samples) -> Samples:
        """Return how far up the beach the water stands at each time, in [0, 1]."""
        reach = np.zeros_like(time_s)
        for event in self.events:
            since = time_s - event.onset_s
            rising = np.exp(
                -((np.minimum(0, since - self.rise_s) / (0.6 * self.rise_s)) ** 2)
            )
            draining = np.exp(-np.maximum(0, since - self.rise_s) / self.drain_s)
            reach = np.maximum(reach, event.strength * rising * draining)
        return reach

    def sound(self, chance: Chance) -> Samples:
        """Return surf: dull between the breaks, bright and loud as they run up."""
        rush = self.rush(timeline(self.duration_s))
        dull = noise(chance, self.duration_s, 60, self.dull_hz, slope_db=-3)
        bright = noise(chance, self.duration_s, 300, 6500, slope_db=-2)
        surf: Samples = 0.22 * dull + rush**1.5 * (0.8 * dull + bright)
        return surf

    def paint_still(self, canvas: Canvas) -> None:
        """Paint the sand."""
        canvas.box((0, 172), (WIDTH, HEIGHT - 172), self.sand)
        canvas.glow((160, 250), 170, blend(self.sand, (255, 255, 255), 0.4), 0.5)

    def paint_moving(self, canvas: Canvas, time_s: float) -> None:
        """Paint the sea, the boat and the water on the beach."""
        rush = float(self.rush(np.array([time_s]))[0])
        x = np.arange(0, WIDTH + 8, 8.0)
        shore = 176 + 42 * rush + 4 * np.sin(x / 34 + 0.7 * time_s) + 3 * np.sin(x / 13)
        self._water(canvas, x, shore + 5, faded((90, 70, 50), 0.35))
        self._water(canvas, x, shore, faded((250, 252, 255), 0.95))
        self._water(
            canvas, x, shore - 3 - 8 * rush, blend(self.shallow, (255, 255, 255), 0.2)
        )
        for layer in range(5):
            depth = layer / 4
            swell = (2 + 5 * depth) * (0.6 + 0.9 * rush)
            phase = (
                x / (24 + 22 * depth) + self.drift * time_s / (10 + 6 * depth) + 1.7 * layer
            )
            top = self.horizon + 14 * layer + swell * np.sin(phase)
            if layer == 1:
                self._boat(canvas, time_s, rush)
            bottom = float(np.min(shore)) - 4 - 8 * rush
            points = list(zip(x.tolist(), np.minimum(top, bottom).tolist(), strict=True))
            color = blend(self.deep, self.shallow, depth)
            canvas.polygon([(0, bottom), *points, (WIDTH, bottom)], color)
            canvas.line(points, faded((255, 255, 255), 0.12 + 0.3 * depth * rush), 1.5)

    def _water(self, canvas: Canvas, x: Samples, edge: Samples, fill: Paint) -> None:
        outline = list(zip(x.tolist(), edge.tolist(), strict=True))
        canvas.polygon([(0, self.horizon + 20), *outline, (WIDTH, self.horizon + 20)], fill)

    def _boat(self, canvas: Canvas, time_s: float, rush: float) -> None:
        tilt = 0.12 * math.sin(self.drift * time_s / 9) + 0.2 * (rush - 0.4)
        x, y = self.boat_x, self.horizon + 14 - 9 * rush
        lean = 40 * tilt
        canvas.line([(x, y), (x + lean, y - 46)], (70, 55, 45), 2)
        canvas.polygon([(x + 3, y - 5), (x + 3 + lean, y - 44), (x + 27, y - 8)], self.sail)
        canvas.polygon(
            [(x - 3, y - 6), (x - 3 + lean, y - 36), (x - 19, y - 7)],
            blend(self.sail, (0, 0, 0), 0.15),
        )
        canvas.polygon(
            [(x - 26, y - 4), (x + 30, y - 4), (x + 19, y + 10), (x - 18, y + 10)],
            self.hull,
        )
