"""Singing bird."""

from __future__ import annotations

import math

import numpy as np

from training.demo.backdrops import OUTDOORS
from training.demo.events import Chance, Event, Real, draw_between, draw_log
from training.demo.picture import Canvas, blend, faded, hsv, turned
from training.demo.scene import Look
from training.demo.sound import Samples, mix, sine, timeline


class Bird:
    """A bird on a branch that opens its beak for every chirp.

    Event model: phrases at random gaps; a phrase is a run of chirps at an even pace.
    Every other chirp of a phrase (place 1) sweeps the other way.

    Heard and seen: each chirp (beak, bobbing body, flicking tail), phrase rhythm, and
    the bird's size (a smaller one sings higher).
    """

    look = Look(OUTDOORS)

    def __init__(self, chance: Chance, duration_s: float) -> None:
        self.duration_s = duration_s
        self.size = draw_between(chance, 0.75, 1.3)
        self.pitch_hz = 2900 / self.size * draw_between(chance, 0.8, 1.2)
        self.span = draw_between(chance, 1.2, 1.7) ** float(chance.choice([-1, 1]))
        self.trill_hz = float(chance.choice([0, 0, 28, 40]))
        self.chirp_s = draw_between(chance, 0.07, 0.16)
        pace_s = self.chirp_s + draw_between(chance, 0.04, 0.14)
        rest_s = draw_log(chance, 0.3, 1.1)
        per_phrase = int(chance.integers(1, 5))
        events = []
        onset_s = draw_between(chance, 0.1, 0.6)
        while onset_s < duration_s - 0.15:
            for number in range(per_phrase):
                strength = draw_between(chance, 0.6, 1)
                if onset_s < duration_s - 0.1:
                    events.append(Event(onset_s, strength, number % 2))
                onset_s += pace_s
            onset_s += rest_s * draw_between(chance, 0.75, 1.3)
        self.events = tuple(events)
        self.x = draw_between(chance, 110, 215)
        self.y = draw_between(chance, 130, 160)
        self.heading = float(chance.choice([-1, 1]))
        hue = chance.random()
        self.feathers = hsv(
            hue, draw_between(chance, 0.3, 0.85), draw_between(chance, 0.35, 0.95)
        )
        self.breast = hsv(
            hue + draw_between(chance, -0.4, 0.4), 0.5, draw_between(chance, 0.7, 1)
        )
        self.bark = hsv(
            draw_between(chance, 0.03, 0.12), 0.5, draw_between(chance, 0.2, 0.5)
        )
        self.leaf = hsv(
            draw_between(chance, 0.05, 0.45), 0.65, draw_between(chance, 0.35, 0.8)
        )
        self.leaves = [
            (
                draw_between(chance, 0, 320),
                draw_between(chance, -1, 1),
                chance.uniform(7, 14),
            )
            for _ in range(16)
        ]

    def openness(self, time_s: float) -> float:
        """Return how far the beak is open, in [0, 1]."""
        widest = 0.0
        for event in self.events:
            share = (time_s - event.onset_s) / self.chirp_s
            if 0 <= share < 1.1:
                widest = max(
                    widest, event.strength * min(1, 4 * share + 0.5, 3.5 * (1.1 - share))
                )
        return widest

    def sound(self, chance: Chance) -> Samples:
        """Return the chirps: swept whistles, some of them trilled."""
        share = timeline(self.chirp_s) / self.chirp_s
        swell = np.sin(np.pi * np.minimum(1, share**0.6)) ** 0.7
        chirps = []
        for power in (1, -0.6):
            sweep_hz = self.pitch_hz * self.span ** (power * (share - 0.5))
            warble = 1 + 0.06 * np.sin(2 * np.pi * self.trill_hz * share * self.chirp_s)
            whistle = sine(sweep_hz * warble) + 0.25 * sine(2 * sweep_hz * warble)
            chirps.append(swell * (whistle + 0.04 * chance.standard_normal(len(share))))
        return mix(
            self.duration_s,
            ((e.onset_s, e.strength * chirps[e.place]) for e in self.events),
        )

    def paint_still(self, canvas: Canvas) -> None:
        """Paint the branch with its leaves."""
        y = self.y + 38 * self.size
        points = [(-10.0, y + 22), (90.0, y + 6), (self.x, y), (330.0, y - 12)]
        canvas.line(points, blend(self.bark, (0, 0, 0), 0.4), 11)
        canvas.line([(x, y - 1.5) for x, y in points], self.bark, 8)
        xs, ys = zip(*points, strict=True)
        for x, side, length in self.leaves:
            root = (x, float(np.interp(x, xs, ys)))
            blade = [
                (0, 0),
                (length / 2, -length / 3),
                (length, 0),
                (length / 2, length / 3),
            ]
            shade = blend(self.leaf, (0, 0, 0), 0.2 + 0.2 * side)
            canvas.polygon(
                turned(blade, math.copysign(1.2, side) + 0.5 * side, root), shade
            )

    def paint_moving(self, canvas: Canvas, time_s: float) -> None:
        """Paint the bird."""
        wide = self.openness(time_s)
        dark = blend(self.feathers, (0, 0, 0), 0.4)
        lift = 3.5 * wide

        def at(x: Real, y: Real) -> tuple[float, float]:
            return self.x + self.heading * self.size * x, self.y + self.size * (y - lift)

        def radii(x: Real, y: Real) -> tuple[float, float]:
            return self.size * x, self.size * y

        for foot in (-6, 6):
            knee = at(foot, 24)
            canvas.line([knee, (knee[0], self.y + 38 * self.size)], (90, 70, 50), 2)
        flick = 14 * wide
        canvas.polygon(
            [at(-24, 4), at(-72, 14 - flick), at(-68, 25 - flick), at(-20, 20)], dark
        )
        canvas.ellipse(at(0, 5), radii(34, 25), dark)
        canvas.ellipse(at(0, 4), radii(33, 24), self.feathers)
        canvas.ellipse(at(11, 10), radii(20, 16), self.breast)
        canvas.polygon(
            [at(6, -4), at(-34, 14 - 6 * wide), at(-26, 19 - 6 * wide), at(-2, 16)], dark
        )
        gape = 13 * wide
        canvas.polygon([at(44, -26), at(66, -24 - gape), at(46, -18)], (245, 180, 50))
        canvas.polygon([at(44, -20), at(63, -20 + gape), at(42, -14)], (215, 140, 40))
        canvas.ellipse(at(30, -20), radii(19, 18), self.feathers)
        canvas.ellipse(at(37, -24), radii(4.6, 4.6), (255, 255, 255))
        canvas.ellipse(at(38, -24), radii(3, 3), (20, 18, 22))
        if wide > 0.15:
            mouth = at(66, -22)
            start, end = (-32, 32) if self.heading > 0 else (148, 212)
            for ring in range(3):
                reach = self.size * (9 + 9 * ring + 10 * wide)
                paint = faded((255, 255, 255), wide * (0.9 - 0.25 * ring))
                canvas.arc(mouth, (reach, reach), start, end, paint, 2)
