"""Rain on a puddle."""

from __future__ import annotations

import math

import numpy as np

from training.demo.backdrops import OUTDOORS
from training.demo.events import Chance, Event, draw_between, draw_log, latest
from training.demo.picture import HEIGHT, WIDTH, Canvas, faded, hsv
from training.demo.scene import Look
from training.demo.sound import SAMPLE_RATE_HZ, Samples, falling, mix, noise, timeline

RIPPLE_S = 0.7


class Rain:
    """Rain in gusts, with heavy drops that plop into a puddle beneath an umbrella.

    Event model: a gust rises and falls with a period, and heavy drops fall at random
    times, each of a size.

    Heard and seen: the gusts (density of streaks, loudness of the hiss), the drops
    (ripples, plops; a drop further right plops higher), the rain's overall density.
    """

    look = Look(OUTDOORS)

    def __init__(self, chance: Chance, duration_s: float) -> None:
        self.duration_s = duration_s
        self.gust_s = draw_log(chance, 1.0, 4.0)
        self.gust_depth = draw_between(chance, 0.3, 0.85)
        self.phase = chance.random()
        self.density = int(draw_log(chance, 60, 190))
        self.slant = draw_between(chance, -0.45, 0.45)
        self.speed = draw_between(chance, 380, 620)
        self.hiss_hz = draw_log(chance, 2500, 7000)
        self.streaks = chance.random((self.density, 3))
        self.streak_color = hsv(0.58, chance.uniform(0.02, 0.3), chance.uniform(0.75, 1))
        self.cloud = [
            (
                draw_between(chance, -20, 340),
                draw_between(chance, -8, 22),
                chance.uniform(28, 60),
            )
            for _ in range(12)
        ]
        self.gray = draw_between(chance, 0.35, 0.85)
        self.umbrella = (draw_between(chance, 70, 250), draw_between(chance, 46, 64))
        hue = chance.random()
        self.fabric = [hsv(hue + turn, 0.75, chance.uniform(0.55, 1)) for turn in (0, 0.08)]
        pace = draw_between(chance, 1.5, 5.5)
        count = max(3, round(pace * duration_s))
        onsets = np.sort(chance.uniform(0.1, duration_s - 0.1, count))
        self.events = tuple(
            Event(
                float(onset_s),
                strength=chance.uniform(0.4, 1),
                x=chance.uniform(0.08, 0.92),
            )
            for onset_s in onsets
        )

    def gust(self, time_s: Samples) -> Samples:
        """Return how hard it rains at each time, in (0, 1]."""
        swell = 0.5 + 0.5 * np.sin(2 * np.pi * (time_s / self.gust_s + self.phase))
        return 1 - self.gust_depth * swell

    def sound(self, chance: Chance) -> Samples:
        """Return hiss that follows the gusts, patter and plops."""
        level = self.gust(timeline(self.duration_s))
        hiss = noise(chance, self.duration_s, 500, self.hiss_hz)
        patter = (chance.random(len(level)) < self.density / SAMPLE_RATE_HZ) * 9.0
        patter = np.convolve(patter, np.exp(-np.arange(160) / 32), mode="full")[
            : len(level)
        ]
        plops = mix(
            self.duration_s,
            (
                (
                    e.onset_s,
                    9 * e.strength * falling(500 + 700 * e.x, 900 + 900 * e.x, 0.05, 0.05),
                )
                for e in self.events
            ),
        )
        tapping = patter * noise(chance, self.duration_s, 900, 6000)
        falling_rain: Samples = level * (hiss + tapping) + plops
        return falling_rain

    def paint_still(self, canvas: Canvas) -> None:
        """Paint the cloud, the wet ground and the umbrella."""
        shade = round(255 * self.gray)
        for x, y, radius in self.cloud:
            canvas.ellipse((x, y + 5), (radius, 0.62 * radius), faded((0, 0, 0), 0.12))
            canvas.ellipse(
                (x, y),
                (radius, 0.6 * radius),
                faded((shade, shade, min(255, shade + 8)), 0.9),
            )
        canvas.box((0, 186), (WIDTH, HEIGHT - 186), (22, 30, 44, 150))
        canvas.ellipse((160, 216), (170, 24), (120, 150, 180, 110))
        x, radius = self.umbrella
        canvas.line([(x, 150), (x, 204)], (60, 45, 40), 2.5)
        canvas.arc((x + 6, 204), (6, 6), 0, 180, (60, 45, 40), 2.5)
        top = 158.0
        canvas.sector((x, top), (radius, radius), 180, 360, self.fabric[0])
        canvas.sector((x, top), (0.45 * radius, radius), 180, 360, self.fabric[1])
        for part in (-0.72, 0, 0.72):
            width = (0.28 if part else 0.45) * radius
            canvas.ellipse((x + part * radius, top), (width, 5), faded((10, 10, 20), 0.35))
        canvas.line([(x, top - radius - 6), (x, top - radius)], (60, 45, 40), 2.5)

    def paint_moving(self, canvas: Canvas, time_s: float) -> None:
        """Paint streaks and ripples."""
        level = float(self.gust(np.array([time_s]))[0])
        shown = max(4, round(self.density * level))
        for start_x, start_y, depth in self.streaks[:shown]:
            speed = self.speed * (0.7 + 0.6 * depth)
            y = (start_y * 260 + speed * time_s) % 260 - 20
            x = (start_x * 400 + self.slant * y) % 400 - 40
            length = 9 + 12 * depth
            paint = faded(self.streak_color, 0.3 + 0.4 * depth)
            canvas.line(
                [(x, y), (x + self.slant * length, y + length)], paint, 0.7 + 0.6 * depth
            )
        for event in self.events:
            age = (time_s - event.onset_s) / RIPPLE_S
            if 0 <= age < 1:
                center = (event.x * WIDTH, 204 + 22 * math.sin(9 * event.x))
                for lag in (0, 0.22):
                    reach = (age - lag) * 34 * event.strength
                    if reach > 0:
                        paint = faded((235, 245, 255), 1 - age)
                        canvas.ellipse(center, (reach, 0.34 * reach), None, paint, 1.4)
        drop = latest(self.events, time_s)
        if drop and time_s - drop.onset_s < 0.14:
            center = (drop.x * WIDTH, 204 + 22 * math.sin(9 * drop.x))
            canvas.shine(center, 16 * drop.strength + 5, (255, 255, 255), 0.9)
