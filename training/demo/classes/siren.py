"""Siren of an emergency car."""

from __future__ import annotations

import math

import numpy as np

from training.demo.backdrops import OUTDOORS
from training.demo.events import Chance, Event, Real, draw_between, draw_log
from training.demo.picture import WIDTH, Canvas, blend, hsv
from training.demo.scene import Look
from training.demo.sound import SAMPLE_RATE_HZ, Samples, sine, timeline

PERIODS_S = {"wail": (1.1, 3.2), "yelp": (0.28, 0.6), "high-low": (0.7, 1.6)}


class Siren:
    """A police car whose siren sweeps up and down while its lamps take turns.

    Event model: a cycle of a constant period; an event at each highest pitch. Wail
    follows a sine, yelp rises slowly and falls fast, high-low jumps between two tones.

    Heard and seen: the cycle (one lamp is bright when the pitch is high, the other when
    it is low), its period and its shape.
    """

    look = Look(OUTDOORS)

    def __init__(self, chance: Chance, duration_s: float) -> None:
        self.duration_s = duration_s
        self.kind = str(chance.choice(sorted(PERIODS_S)))
        self.period_s = draw_log(chance, *PERIODS_S[self.kind])
        self.phase = chance.random()
        self.low_hz = draw_log(chance, 420, 850)
        self.span = draw_between(chance, 1.45, 2.3)
        self.rasp = draw_between(chance, 0.6, 3.0)
        self.pace = draw_between(chance, 40, 160) * float(chance.choice([-1, 1]))
        self.left = draw_between(chance, 40, 110)
        self.size = draw_between(chance, 0.85, 1.15)
        self.body = hsv(
            chance.random(), draw_between(chance, 0, 0.75), chance.uniform(0.3, 1)
        )
        self.lamps = tuple(
            hsv(hue, 0.95, 1.0)
            for hue in ((0.61, 0.0), (0.6, 0.6), (0.0, 0.61), (0.1, 0.08))[
                chance.integers(4)
            ]
        )
        peak = 0.25 if self.kind != "yelp" else 0.75
        first = (peak - self.phase) % 1
        self.events = tuple(
            Event(float(cycle) * self.period_s)
            for cycle in np.arange(first, duration_s / self.period_s)
        )

    def pitch(self, time_s: Samples) -> Samples:
        """Return the pitch at each time, from 0 (low) to 1 (high)."""
        turn = (time_s / self.period_s + self.phase) % 1
        if self.kind == "wail":
            return 0.5 + 0.5 * np.sin(2 * np.pi * turn)
        if self.kind == "yelp":
            return np.where(turn < 0.75, turn / 0.75, (1 - turn) / 0.25)
        return np.where(turn < 0.5, 1.0, 0.0)

    def sound(self, chance: Chance) -> Samples:
        """Return the overdriven sweep."""
        height = self.pitch(timeline(self.duration_s))
        smooth = np.convolve(height, np.full(320, 1 / 320), mode="same")
        tone = sine(self.low_hz * self.span**smooth)
        wobble = 1 + 0.1 * chance.standard_normal(len(tone) // SAMPLE_RATE_HZ * 20 + 40)
        level = np.interp(np.arange(len(tone)), 1600.0 * np.arange(len(wobble)), wobble)
        return level * np.tanh(self.rasp * tone + 0.25)

    def paint_still(self, canvas: Canvas) -> None:
        """Paint the road."""
        canvas.box((0, 182), (WIDTH, 60), (42, 43, 50))
        canvas.box((0, 180), (WIDTH, 4), (140, 140, 140))

    def paint_moving(self, canvas: Canvas, time_s: float) -> None:
        """Paint road marks, the car and its lamps."""
        shift = -self.pace * time_s
        for mark in range(-1, 6):
            x = (mark * 70 + shift) % 420 - 70
            canvas.polygon(
                [(x + 6, 216), (x + 42, 216), (x + 38, 222), (x, 222)], (225, 215, 150)
            )
        height = float(self.pitch(np.array([time_s]))[0])
        scale, left = self.size, self.left
        ground = 206 + 0.8 * math.sin(9 * time_s)
        heading = 1 if self.pace > 0 else -1

        def at(x: Real, y: Real) -> tuple[float, float]:
            across = x if heading > 0 else 150 - x
            return left + scale * across, ground - scale * y

        canvas.ellipse(at(75, 0), (82 * scale, 8), (0, 0, 0, 120))
        cabin = [(28, 42), (45, 72), (102, 72), (122, 42)]
        hull = [(0, 14), (2, 40), (28, 44), (122, 44), (146, 38), (150, 24), (150, 14)]
        canvas.polygon([at(*p) for p in cabin], blend(self.body, (0, 0, 0), 0.25))
        canvas.polygon([at(*p) for p in hull], self.body)
        stripe = [(1, 26), (1, 33), (149, 31), (150, 24)]
        canvas.polygon([at(*p) for p in stripe], blend(self.lamps[0], (255, 255, 255), 0.2))
        for window in (
            [(36, 45), (49, 67), (72, 67), (72, 45)],
            [(77, 45), (77, 67), (99, 67), (113, 45)],
        ):
            canvas.polygon([at(*p) for p in window], (170, 205, 225))
        canvas.ellipse(at(147, 30), (4 * scale, 5 * scale), (255, 245, 190))
        for wheel in (32, 118):
            hub = at(wheel, 12)
            canvas.ellipse(hub, (16 * scale, 16 * scale), (22, 22, 24))
            canvas.ellipse(hub, (9 * scale, 9 * scale), (190, 192, 198))
            angle = self.pace * time_s / (16 * scale)
            for spoke in range(3):
                turn = angle + spoke * 2.094
                tip = (hub[0] + 8 * math.cos(turn), hub[1] + 8 * math.sin(turn))
                canvas.line([hub, tip], (60, 60, 66), 2)
        for x, color, bright in (
            (63, self.lamps[0], height),
            (84, self.lamps[1], 1 - height),
        ):
            lamp = at(x, 78)
            canvas.box(
                (lamp[0] - 10, lamp[1] - 5), (20, 11), blend((40, 30, 40), color, bright), 4
            )
            canvas.shine(lamp, 30 + 75 * bright, color, 0.95 * bright)
            canvas.shine(lamp, 18, (255, 255, 255), 0.9 * bright)
