"""Piston engine."""

from __future__ import annotations

import math

import numpy as np

from training.demo.backdrops import ANYWHERE
from training.demo.events import Chance, Event, draw_between
from training.demo.picture import Canvas, blend, faded, hsv
from training.demo.scene import Look
from training.demo.sound import Samples, noise, sine, timeline

RISE_S, FALL_S = 0.16, 0.5
HARMONICS = ((0.5, 0.5), (1, 1.0), (2, 0.8), (3, 0.5), (4, 0.4), (6, 0.25))


class Engine:
    """A cut-open engine that is revved; a dial shows its speed.

    Event model: it idles, and at each event somebody steps on the gas: speed rises fast
    and falls back slowly.

    Heard and seen: the speed at every moment (firing pitch and roughness; crank,
    shaking, smoke and needle), the idle speed, when and how hard it is revved.
    """

    look = Look(ANYWHERE)

    def __init__(self, chance: Chance, duration_s: float) -> None:
        self.duration_s = duration_s
        self.idle = draw_between(chance, 0.05, 0.3)
        self.idle_hz = draw_between(chance, 24, 44)
        self.rasp = draw_between(chance, 0.25, 0.7)
        count = int(chance.integers(1, 2 + int(duration_s)))
        onsets = np.sort(chance.uniform(0.15, duration_s - 0.3, count))
        self.events = tuple(
            Event(float(onset_s), strength=chance.uniform(0.35, 1)) for onset_s in onsets
        )
        self.x = draw_between(chance, 88, 150)
        self.dial = (self.x + draw_between(chance, 110, 125), draw_between(chance, 56, 90))
        self.metal = hsv(
            chance.random(), draw_between(chance, 0.03, 0.6), chance.uniform(0.4, 0.9)
        )
        self.accent = hsv(chance.random(), 0.85, 0.95)
        self.face = hsv(chance.random(), 0.1, float(chance.choice([0.12, 0.95])))
        clock_s = np.arange(0, duration_s, 0.005)
        self._turns = np.cumsum(0.9 + 3.0 * self.speed(clock_s)) * 0.005
        self._clock_s = clock_s

    def speed(self, time_s: Samples) -> Samples:
        """Return the engine's speed at each time, in (0, 1]."""
        speed = np.full_like(time_s, self.idle)
        for event in self.events:
            since = np.maximum(0, time_s - event.onset_s)
            pulse = (1 - np.exp(-since / RISE_S)) * np.exp(-since / FALL_S)
            speed = np.maximum(speed, self.idle + event.strength * 1.55 * pulse)
        limited: Samples = np.minimum(speed, 1.0)
        return limited

    def sound(self, chance: Chance) -> Samples:
        """Return firing pulses with the roar between them."""
        speed = self.speed(timeline(self.duration_s))
        firing_hz = self.idle_hz * (1 + 3.6 * speed)
        tone = np.zeros_like(speed)
        for harmonic, level in HARMONICS:
            tone += level * sine(harmonic * firing_hz)
        beat = np.maximum(0, sine(firing_hz)) ** 2
        roar = noise(chance, self.duration_s, 120, 1800) * beat
        loudness = 0.35 + 0.9 * speed
        running: Samples = loudness * (np.tanh(1.2 * tone) + self.rasp * roar)
        return running

    def paint_still(self, canvas: Canvas) -> None:
        """Paint the stand and the face of the dial."""
        canvas.box((self.x - 80, 214), (160, 12), (40, 40, 46), 3)
        ink = (235, 235, 235) if sum(self.face) < 300 else (35, 35, 40)
        canvas.ellipse(self.dial, (45, 45), (150, 152, 158))
        canvas.ellipse(self.dial, (41, 41), self.face)
        canvas.arc(self.dial, (36, 36), 330, 405, (215, 40, 40), 4)
        for step in range(11):
            angle = math.radians(135 + 27 * step)
            ends = [
                (self.dial[0] + r * math.cos(angle), self.dial[1] + r * math.sin(angle))
                for r in (29 if step % 2 else 26, 35)
            ]
            canvas.line(ends, ink, 1.6)

    def paint_moving(self, canvas: Canvas, time_s: float) -> None:
        """Paint the needle, the smoke, and the shaking engine with its piston."""
        speed = float(self.speed(np.array([time_s]))[0])
        angle = math.radians(135 + 270 * speed)
        tip = (self.dial[0] + 33 * math.cos(angle), self.dial[1] + 33 * math.sin(angle))
        canvas.rod(self.dial, tip, self.accent, 3)
        canvas.ellipse(self.dial, (5, 5), (60, 60, 64))
        turns = float(np.interp(time_s, self._clock_s, self._turns))
        shake = (0.6 + 2.2 * speed) * math.sin(2 * math.pi * 3.7 * turns)
        x, y = self.x + 0.5 * shake, 150 + shake
        self._smoke(canvas, time_s, turns)
        dark = blend(self.metal, (0, 0, 0), 0.45)
        canvas.box((x - 66, y + 36), (112, 30), dark, 6)
        canvas.box((x - 34, y - 76), (68, 90), self.metal, 5, dark, 2)
        for fin in range(5):
            canvas.box((x - 44, y - 66 + 14 * fin), (88, 6), dark, 2)
        canvas.box((x - 24, y - 68), (48, 86), (30, 28, 34), 3)
        canvas.ellipse((x, y + 30), (46, 40), self.metal, dark, 2)
        canvas.ellipse((x, y + 30), (36, 32), (30, 28, 34))
        self._crank(canvas, (x, y + 30), 2 * math.pi * turns)
        firing = max(0.0, math.cos(2 * math.pi * turns))
        canvas.shine((x, y - 60), 26, (255, 190, 80), (0.25 + 0.7 * speed) * firing)

    def _crank(self, canvas: Canvas, center: tuple[float, float], angle: float) -> None:
        pin = (center[0] + 21 * math.sin(angle), center[1] - 21 * math.cos(angle))
        head = (
            center[1] - 21 * math.cos(angle) - math.sqrt(58**2 - (pin[0] - center[0]) ** 2)
        )
        weight = (center[0] - 12 * math.sin(angle), center[1] + 12 * math.cos(angle))
        canvas.ellipse(weight, (16, 16), (95, 98, 106))
        canvas.rod(center, pin, (125, 128, 136), 9)
        canvas.box(
            (center[0] - 22, head - 14), (44, 26), (205, 208, 214), 4, (90, 92, 98), 1
        )
        canvas.line(
            [(center[0] - 22, head - 6), (center[0] + 21, head - 6)], (90, 92, 98), 1.5
        )
        canvas.rod((center[0], head), pin, self.accent, 7)
        canvas.ellipse(pin, (5, 5), (60, 60, 64))
        canvas.ellipse(center, (6, 6), (60, 60, 64))

    def _smoke(self, canvas: Canvas, time_s: float, turns: float) -> None:
        for puff in range(max(0, math.floor(turns) - 3), math.floor(turns) + 1):
            age = turns - puff
            if age < 3:
                center = (self.x - 68 - 14 * age, 196 - 16 * age)
                paint = faded((205, 205, 210), 0.55 * (1 - age / 3))
                canvas.ellipse(center, (5 + 5 * age, 5 + 4 * age), paint)
