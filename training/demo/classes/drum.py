"""Drum kit."""

from __future__ import annotations

import math

from training.demo.backdrops import ANYWHERE
from training.demo.events import (
    Chance,
    Event,
    Real,
    draw_between,
    draw_log,
    latest,
    ringing,
)
from training.demo.picture import Canvas, Point, blend, faded, hsv, turned
from training.demo.scene import Look
from training.demo.sound import Samples, burst, falling, mix, struck

KICK, SNARE, TOM, CYMBAL = range(4)
STEPS = 8


class Drum:
    """A drum kit that plays itself a pattern over and over.

    Event model: a pattern of eight steps says which drums sound at which step; place is
    the drum (kick, snare, tom, cymbal). The pattern repeats at a constant tempo.

    Heard and seen: every stroke of every drum (stick, flashing skin, tipping cymbal),
    the pattern, the tempo, the kit's size (a bigger one is tuned lower).
    """

    look = Look(ANYWHERE)

    def __init__(self, chance: Chance, duration_s: float) -> None:
        self.duration_s = duration_s
        self.step_s = draw_log(chance, 0.15, 0.36)
        self.size = draw_between(chance, 0.85, 1.12)
        likely = {
            KICK: (0.95, 0, 0.1, 0.15, 0.6, 0.1, 0.1, 0.1),
            SNARE: (0, 0.05, 0.85, 0.05, 0.05, 0.1, 0.85, 0.25),
            TOM: (0.05, 0.15, 0.1, 0.4, 0.1, 0.4, 0.1, 0.4),
            CYMBAL: (0.5, 0.2, 0.5, 0.2, 0.5, 0.2, 0.5, 0.2),
        }
        pattern = {drum: chance.random(STEPS) < odds for drum, odds in likely.items()}
        start_s, phase = draw_between(chance, 0.08, 0.4), int(chance.integers(STEPS))
        events = []
        for step in range(int((duration_s - start_s - 0.05) / self.step_s) + 1):
            for drum, struck_at in pattern.items():
                if struck_at[(step + phase) % STEPS]:
                    events.append(
                        Event(
                            start_s + step * self.step_s, draw_between(chance, 0.7, 1), drum
                        )
                    )
        self.events = tuple(events) or (Event(start_s, 1.0, KICK),)
        self.shell = hsv(
            chance.random(), draw_between(chance, 0.4, 0.95), chance.uniform(0.3, 0.9)
        )
        self.skin = hsv(chance.random(), 0.08, draw_between(chance, 0.75, 0.98))
        self.brass = hsv(
            draw_between(chance, 0.09, 0.15), 0.6, draw_between(chance, 0.7, 0.95)
        )
        self.x = draw_between(chance, 140, 180)
        self.star = int(chance.integers(4, 8))

    def sound(self, chance: Chance) -> Samples:
        """Return the strokes of the four drums."""
        low_hz = 58 / self.size
        rattle = burst(chance, 0.09, 900, 7000)
        voices = {
            KICK: mix(
                0.7,
                (
                    (0, 1.3 * falling(3.2 * low_hz, low_hz, 0.03, 0.11)),
                    (0, 0.4 * burst(chance, 0.006, 500, 4000)),
                ),
            ),
            SNARE: mix(
                0.6,
                (
                    (0, 1.1 * rattle),
                    (0, 0.5 * struck(3.3 * low_hz, (1, 1.6), (1, 0.6), (0.06, 0.04))),
                ),
            ),
            TOM: falling(2.9 * low_hz, 2 * low_hz, 0.06, 0.13),
            CYMBAL: 0.45 * burst(chance, 0.05, 4000, 13000),
        }
        return mix(
            self.duration_s,
            ((e.onset_s, e.strength * voices[e.place]) for e in self.events),
        )

    def _at(self, x: Real, y: Real) -> tuple[float, float]:
        return self.x + self.size * x, 152 + self.size * y

    def paint_still(self, canvas: Canvas) -> None:
        """Paint the carpet and the stands."""
        canvas.ellipse(self._at(0, 76), (150 * self.size, 14), (0, 0, 0, 90))
        for foot, top in (
            ((-92, 72), (-84, 6)),
            ((98, 72), (98, -66)),
            ((92, 72), (80, 4)),
        ):
            canvas.line([self._at(*foot), self._at(*top)], (110, 112, 118), 3)

    def paint_moving(self, canvas: Canvas, time_s: float) -> None:
        """Paint the drums, the cymbal and the sticks."""
        self._kick(canvas, time_s)
        self._side_drum(canvas, time_s, SNARE, (-84, 4), (46, 24))
        self._side_drum(canvas, time_s, TOM, (62, -38), (36, 30))
        self._cymbal(canvas, time_s)
        self._stick(canvas, time_s, SNARE, (-84, 0), (-128, -62))
        self._stick(canvas, time_s, TOM, (62, -42), (18, -104))
        self._stick(canvas, time_s, CYMBAL, (112, -72), (138, -128))

    def _kick(self, canvas: Canvas, time_s: float) -> None:
        hit = ringing(self.events, time_s, 0.1, place=KICK)
        center, size = self._at(0, 16), self.size * (1 + 0.05 * hit)
        radius = 60 * size
        canvas.ellipse(center, (radius + 6, radius + 6), blend(self.shell, (0, 0, 0), 0.35))
        canvas.ellipse(center, (radius + 4, radius + 4), self.shell)
        canvas.ellipse(center, (radius, radius), self.skin)
        points = []
        for corner in range(2 * self.star):
            reach = radius * (0.62 if corner % 2 == 0 else 0.3)
            angle = math.pi * corner / self.star
            points.append((reach * math.sin(angle), -reach * math.cos(angle)))
        canvas.polygon(turned(points, 0, center), self.shell)
        if hit > 0.05:
            canvas.shine(center, 1.25 * radius, (255, 255, 255), 0.85 * hit)
            canvas.ellipse(
                center, (0.8 * radius, 0.8 * radius), None, faded(self.shell, hit), 3
            )

    def _side_drum(
        self,
        canvas: Canvas,
        time_s: float,
        drum: int,
        place: Point,
        radii: Point,
    ) -> None:
        hit = ringing(self.events, time_s, 0.1, place=drum)
        wide, deep = self.size * radii[0], self.size * radii[1]
        x, y = self._at(place[0], place[1] + 3 * hit)
        dark = blend(self.shell, (0, 0, 0), 0.4)
        canvas.ellipse((x, y + 1.4 * deep), (wide, 0.34 * wide), dark)
        canvas.box((x - wide, y), (2 * wide, 1.4 * deep), self.shell)
        canvas.ellipse((x, y), (wide + 2, 0.34 * wide + 2), (190, 192, 198))
        canvas.ellipse((x, y), (wide, 0.34 * wide), blend(self.skin, (255, 255, 160), hit))
        if hit > 0.05:
            canvas.shine((x, y), 1.3 * wide, (255, 255, 225), 0.8 * hit)

    def _cymbal(self, canvas: Canvas, time_s: float) -> None:
        past = latest(self.events, time_s, CYMBAL)
        since_s = time_s - past.onset_s if past else 9.0
        tip = 0.28 * math.exp(-since_s / 0.25) * math.cos(22 * since_s)
        plate = [
            (44 * math.cos(a), 6 * math.sin(a))
            for a in (2 * math.pi * k / 40 for k in range(40))
        ]
        center = self._at(98, -68)
        scaled = [(self.size * x, self.size * y) for x, y in plate]
        canvas.polygon(
            turned(scaled, tip - 0.12, center), blend(self.brass, (0, 0, 0), 0.35)
        )
        lifted = (center[0], center[1] - 1.5)
        canvas.polygon(turned(scaled, tip - 0.12, lifted), self.brass)
        canvas.ellipse(lifted, (8, 4), blend(self.brass, (255, 255, 255), 0.4))
        hit = ringing(self.events, time_s, 0.08, place=CYMBAL)
        if hit > 0.05:
            canvas.shine(center, 50, (255, 245, 190), 0.9 * hit)

    def _stick(
        self,
        canvas: Canvas,
        time_s: float,
        drum: int,
        skin: Point,
        grip: Point,
    ) -> None:
        mine = [event.onset_s for event in self.events if event.place == drum]
        nearest_s = min((abs(onset_s - time_s) for onset_s in mine), default=9.0)
        lift = 34 * min(1.0, nearest_s / 0.12)
        hand = self._at(grip[0], grip[1] - 0.5 * lift)
        tip = self._at(skin[0], skin[1] - lift)
        canvas.rod(hand, tip, (215, 180, 125), 4)
        canvas.ellipse(tip, (4, 4), (235, 205, 150))
