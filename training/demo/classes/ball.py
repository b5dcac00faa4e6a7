"""Bouncing ball."""

from __future__ import annotations

import math

from training.demo.backdrops import ANYWHERE
from training.demo.events import Chance, Event, draw_between, latest
from training.demo.picture import WIDTH, Canvas, faded, hsv
from training.demo.scene import Look
from training.demo.sound import Samples, burst, falling, mix, struck

GRAVITY = 1480.0  # pixels per second squared
RESTING_GAP_S = 0.2


class Ball:
    """A ball that bounces and thuds, and is thrown up again before it rests.

    Event model: an impact ends each flight; flights shorten by a constant ratio until
    they get too short, then the ball starts anew from its first height. An impact is as
    strong as the flight before it was long. Gravity ties flight time to height.

    Heard and seen: impacts; the first flight's length (tempo, height); the ratio; the
    ball's size (a bigger ball thuds lower).
    """

    look = Look(ANYWHERE)

    def __init__(self, chance: Chance, duration_s: float) -> None:
        self.duration_s = duration_s
        self.first_gap_s = draw_between(chance, 0.42, 0.92)
        self.ratio = draw_between(chance, 0.74, 0.97)
        self.radius = draw_between(chance, 15, 36)
        self.floor = draw_between(chance, 196, 222)
        self.start_x = draw_between(chance, 0, 2 * WIDTH)
        self.pace = draw_between(chance, 25, 90) * float(chance.choice([-1, 1]))
        self.spin = self.pace / self.radius
        hue = chance.random()
        self.colors = (
            hsv(hue, 0.85, draw_between(chance, 0.6, 1)),
            hsv(hue + draw_between(chance, 0.3, 0.7), chance.uniform(0.1, 0.8), 0.95),
        )
        self.events = self._impacts(draw_between(chance, 0.3, 0.95))

    def _impacts(self, started: float) -> tuple[Event, ...]:
        gap_s = self.first_gap_s
        onset_s = started * gap_s
        impacts = []
        while onset_s < self.duration_s:
            impacts.append(Event(onset_s, strength=gap_s / self.first_gap_s))
            gap_s *= self.ratio
            if gap_s < RESTING_GAP_S:
                gap_s = self.first_gap_s
            onset_s += gap_s
        return tuple(impacts)

    def height(self, time_s: float) -> float:
        """Return how far above the floor the ball's lowest point is, in pixels."""
        before = latest(self.events, time_s)
        start_s = before.onset_s if before else self.events[0].onset_s - self.first_gap_s
        end_s = min((e.onset_s for e in self.events if e.onset_s > time_s), default=None)
        if end_s is None:
            last_gap_s = self.first_gap_s * self.events[-1].strength * self.ratio
            end_s = start_s + (
                last_gap_s if last_gap_s >= RESTING_GAP_S else self.first_gap_s
            )
        return GRAVITY / 2 * (time_s - start_s) * (end_s - time_s)

    def sound(self, chance: Chance) -> Samples:
        """Return a thud and the ring of the rubber at every impact."""
        pitch_hz = 2600 / self.radius
        thud = falling(1.8 * pitch_hz, pitch_hz, 0.03, 0.09)
        ring = 0.35 * struck(pitch_hz * 4.3, (1, 1.8), (1, 0.5), (0.05, 0.03))
        slap = 0.8 * burst(chance, 0.012, 200, 4000)
        blow = mix(0.6, ((0, thud), (0, ring), (0, slap)))
        return mix(self.duration_s, ((e.onset_s, e.strength * blow) for e in self.events))

    def paint_still(self, canvas: Canvas) -> None:
        """Paint the ground."""
        canvas.box((0, self.floor), (WIDTH, 60), (0, 0, 0, 70))
        canvas.line([(0, self.floor), (WIDTH, self.floor)], (255, 255, 255, 90), 1)

    def paint_moving(self, canvas: Canvas, time_s: float) -> None:
        """Paint the ball and its shadow."""
        height = self.height(time_s)
        squash = max(0.0, 1 - height / 9) * 0.28
        wide, tall = self.radius * (1 + 0.6 * squash), self.radius * (1 - squash)
        track = WIDTH - 2 * self.radius
        x = self.radius + abs((self.start_x + self.pace * time_s) % (2 * track) - track)
        y = self.floor - height - tall
        spread = 1 + height / 130
        canvas.ellipse(
            (x, self.floor + 4),
            (self.radius * spread, 5 * spread),
            faded((0, 0, 0), 0.5 / spread),
        )
        canvas.ellipse((x, y), (wide + 1.2, tall + 1.2), (30, 25, 40))
        canvas.ellipse((x, y), (wide, tall), self.colors[0])
        angle = math.degrees(self.spin * time_s) % 360
        for wedge in range(3):
            start = angle + 120 * wedge
            canvas.sector((x, y), (wide, tall), start, start + 60, self.colors[1])
        canvas.shine((x - wide / 3, y - tall / 3), 0.7 * self.radius, (255, 255, 255), 0.75)
