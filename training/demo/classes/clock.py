"""Pendulum clock."""

from __future__ import annotations

import math

from training.demo.backdrops import INDOORS
from training.demo.events import Chance, Event, beats, draw_between, draw_log
from training.demo.picture import Canvas, blend, hsv, turned
from training.demo.scene import Look
from training.demo.sound import Samples, burst, mix, struck


class Clock:
    """A wall clock whose pendulum swings, ticking whenever it passes the middle.

    Event model: a strict pulse; ticks and tocks take turns (place 0 and 1).

    Heard and seen: the pulse (the second hand steps at each tick), its tempo, which
    follows the pendulum's length, and the clock's size (a smaller one ticks higher).
    """

    look = Look(INDOORS)

    def __init__(self, chance: Chance, duration_s: float) -> None:
        self.duration_s = duration_s
        self.period_s = draw_log(chance, 0.24, 1.0)
        self.size = draw_between(chance, 0.75, 1.15)
        onsets = beats(chance, duration_s, self.period_s, jitter=0)
        self.first_s = onsets[0]
        self.events = tuple(Event(onset_s, 1.0, i % 2) for i, onset_s in enumerate(onsets))
        self.x = draw_between(chance, 80, 240)
        self.top = draw_between(chance, 16, 30)
        self.hours = draw_between(chance, 0, 12)
        self.seconds = int(chance.integers(0, 60))
        self.amplitude = draw_between(chance, 0.3, 0.55)
        room = 164 - 86 * self.size  # from the pivot to the bottom of the case
        self.length = room * (0.45 + 0.55 * min(1.0, self.period_s / 0.8))
        hue = chance.random()
        self.wood = hsv(
            hue, draw_between(chance, 0.3, 0.8), draw_between(chance, 0.3, 0.75)
        )
        self.face = hsv(chance.random(), 0.12, draw_between(chance, 0.8, 1))
        self.metal = hsv(
            draw_between(chance, 0.08, 0.16), 0.6, draw_between(chance, 0.7, 1)
        )
        self.pitch_hz = 620 / self.size * draw_between(chance, 0.85, 1.2)

    def sound(self, chance: Chance) -> Samples:
        """Return ticks and lower tocks: a click on a wooden case."""
        beats_by_place = []
        for pitch_hz in (self.pitch_hz, 0.78 * self.pitch_hz):
            case = struck(pitch_hz, (1, 2.7, 4.6), (0.7, 0.6, 0.8), (0.03, 0.018, 0.012))
            click = 1.2 * burst(chance, 0.004, 1500, 8000)
            release = 0.4 * burst(chance, 0.003, 2500, 9000)
            beats_by_place.append(mix(0.3, ((0, case), (0, click), (0.022, release))))
        return mix(
            self.duration_s, ((e.onset_s, beats_by_place[e.place]) for e in self.events)
        )

    def paint_still(self, canvas: Canvas) -> None:
        """Paint the case and the dial."""
        x, size = self.x, self.size
        center = self._center()
        dark = blend(self.wood, (0, 0, 0), 0.4)
        wide = 52 * size
        canvas.box((x - wide + 4, self.top + 4), (2 * wide, 196), (0, 0, 0, 70), 10)
        canvas.polygon(
            [(x - wide, self.top + 18), (x, self.top - 12), (x + wide, self.top + 18)], dark
        )
        canvas.box((x - wide, self.top + 8), (2 * wide, 190), self.wood, 8, dark, 2)
        low = center[1] + 48 * size
        canvas.box(
            (x - wide + 9, low), (2 * wide - 18, self.top + 188 - low), (20, 16, 18, 200), 5
        )
        radius = 43 * size
        canvas.ellipse(center, (radius + 3, radius + 3), self.metal)
        canvas.ellipse(center, (radius, radius), self.face)
        for hour in range(12):
            angle = hour * math.pi / 6
            inner = radius * (0.78 if hour % 3 == 0 else 0.86)
            ends = [
                (center[0] + r * math.sin(angle), center[1] - r * math.cos(angle))
                for r in (inner, radius * 0.94)
            ]
            canvas.line(ends, (40, 36, 40), 2.4 if hour % 3 == 0 else 1.2)
        self._hand(canvas, self.hours / 12, 0.5 * radius, 3.6)
        self._hand(canvas, self.hours % 1, 0.75 * radius, 2.4)

    def _center(self) -> tuple[float, float]:
        return self.x, self.top + 20 + 43 * self.size

    def _hand(self, canvas: Canvas, turn: float, length: float, width: float) -> None:
        center = self._center()
        angle = 2 * math.pi * turn
        tip = (center[0] + length * math.sin(angle), center[1] - length * math.cos(angle))
        canvas.rod(center, tip, (40, 36, 40), width)

    def paint_moving(self, canvas: Canvas, time_s: float) -> None:
        """Paint the pendulum and the second hand."""
        swing = math.sin(math.pi * (time_s - self.first_s) / self.period_s)
        pivot = (self.x, self._center()[1] + 30 * self.size)
        angle = self.amplitude * swing
        bob = turned([(0, self.length)], angle, pivot)[0]
        canvas.rod(pivot, bob, blend(self.metal, (0, 0, 0), 0.3), 3)
        radius = 13 * self.size
        canvas.ellipse(bob, (radius + 1, radius + 1), (40, 30, 20))
        canvas.ellipse(bob, (radius, radius), self.metal)
        canvas.shine((bob[0] - 4, bob[1] - 4), 0.8 * radius, (255, 255, 255), 0.7)
        self._dial_front(canvas, time_s)

    def _dial_front(self, canvas: Canvas, time_s: float) -> None:
        steps = sum(event.onset_s <= time_s for event in self.events)
        center = self._center()
        angle = 2 * math.pi * (self.seconds + steps) / 60 * 3
        radius = 43 * self.size
        tip, tail = (
            (center[0] + r * math.sin(angle), center[1] - r * math.cos(angle))
            for r in (0.85 * radius, -0.2 * radius)
        )
        canvas.rod(tail, tip, (205, 40, 40), 1.8)
        canvas.ellipse(center, (3.5, 3.5), (205, 40, 40))
