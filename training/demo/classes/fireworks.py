"""Fireworks."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from training.demo.backdrops import OUTDOORS
from training.demo.events import Chance, Event, draw_between
from training.demo.picture import HEIGHT, WIDTH, Canvas, Color, Point, blend, faded, hsv
from training.demo.scene import Look
from training.demo.sound import Samples, burst, falling, mix, noise, sine, timeline

DRAG = 2.6  # per second
FALL = 38.0  # pixels per second squared


@dataclass(frozen=True, slots=True)
class Shell:
    """One rocket and what it bursts into."""

    center: tuple[float, float]
    flight_s: float
    speeds: Float64[np.ndarray, "spark 2"]  # pixels per second
    fade_s: float
    colors: tuple[Color, Color]
    crackles_s: tuple[float, ...]  # after the burst


class Fireworks:
    """Rockets that climb, burst with a bang, and some of which crackle as they fade.

    Event model: bursts at random times at least 0.25 s apart; a stronger one is wider,
    louder and lower. Crackling shells have a list of crackle times.

    Heard and seen: bursts (bang, spray of sparks), climbs (hiss, streak), crackles
    (snaps, white flashes).
    """

    look = Look(OUTDOORS, brightness=(0.1, 0.6))

    def __init__(self, chance: Chance, duration_s: float) -> None:
        self.duration_s = duration_s
        count = int(chance.integers(2, 4 + int(duration_s)))
        onsets: list[float] = []
        for _ in range(20 * count):
            onset_s = draw_between(chance, 0.2, duration_s - 0.4)
            if len(onsets) < count and all(abs(onset_s - other) > 0.25 for other in onsets):
                onsets.append(onset_s)
        self.events = tuple(
            Event(onset_s, chance.uniform(0.4, 1), number, chance.uniform(0.15, 0.85))
            for number, onset_s in enumerate(sorted(onsets))
        )
        self.crackling = chance.random() < 0.6
        self.hue = chance.random()
        self.shells = tuple(self._shell(chance, event) for event in self.events)

    def _shell(self, chance: Chance, event: Event) -> Shell:
        sparks = round(45 + 40 * event.strength)
        angle = chance.uniform(0, 2 * math.pi, sparks)
        reach = 90 + 150 * event.strength
        ring = chance.random() < 0.3
        radius = reach * (np.ones(sparks) if ring else np.sqrt(chance.random(sparks)))
        hue = self.hue + draw_between(chance, -0.3, 0.3)
        crackles = np.sort(chance.uniform(0.3, 1.2, int(chance.integers(14, 30))))
        return Shell(
            center=(event.x * WIDTH, draw_between(chance, 45, 110)),
            flight_s=draw_between(chance, 0.45, 0.8),
            speeds=np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1),
            fade_s=draw_between(chance, 0.9, 1.5),
            colors=(hsv(hue, 0.8, 1.0), hsv(hue + chance.uniform(0.05, 0.3), 0.6, 1.0)),
            crackles_s=tuple(crackles.tolist()) if self.crackling else (),
        )

    def sound(self, chance: Chance) -> Samples:
        """Return climbs, bangs and crackles."""
        placed: list[tuple[float, Samples]] = []
        snaps = [burst(chance, 0.006, 1500, 9000) for _ in range(6)]
        for event, shell in zip(self.events, self.shells, strict=True):
            low_hz = 75 - 35 * event.strength
            bang = 1.4 * falling(3 * low_hz, low_hz, 0.05, 0.2)
            crack = 2.2 * burst(chance, 0.05, 100, 5000)
            rumble = 1.6 * burst(chance, 0.3, 40, 600, attack_s=0.01)
            blow = mix(2.0, ((0, bang), (0, crack), (0, rumble)))
            placed.append((event.onset_s, event.strength * blow))
            placed.append((event.onset_s - shell.flight_s, self._climb(chance, shell)))
            for after_s in shell.crackles_s:
                snap = snaps[int(chance.integers(len(snaps)))]
                placed.append((event.onset_s + after_s, chance.uniform(0.3, 0.8) * snap))
        return mix(self.duration_s, placed)

    def _climb(self, chance: Chance, shell: Shell) -> Samples:
        share = timeline(shell.flight_s) / shell.flight_s
        hiss = 0.07 * noise(chance, shell.flight_s, 1500, 5000)
        whistle = 0.08 * sine(1500 + 900 * share)
        return (hiss + whistle) * np.sqrt(share) * np.clip(8 * (1 - share), 0, 1)

    def paint_still(self, canvas: Canvas) -> None:
        """Paint the dark ground the rockets start from."""
        canvas.box((0, 222), (WIDTH, HEIGHT - 222), (8, 8, 14, 200))

    def paint_moving(self, canvas: Canvas, time_s: float) -> None:
        """Paint rockets and sparks."""
        for event, shell in zip(self.events, self.shells, strict=True):
            age_s = time_s - event.onset_s
            if -shell.flight_s < age_s < 0:
                share = 1 + age_s / shell.flight_s
                y = 224 - (224 - shell.center[1]) * (1 - (1 - share) ** 2)
                x = shell.center[0] + 3 * math.sin(20 * share)
                canvas.line(
                    [(x, y), (x, y + 26 * (1 - share) + 6)], (255, 220, 150, 190), 1.6
                )
                canvas.shine((x, y), 7, (255, 240, 200), 0.9)
            elif 0 <= age_s < shell.fade_s:
                self._sparks(canvas, event, shell, age_s)

    def _sparks(self, canvas: Canvas, event: Event, shell: Shell, age_s: float) -> None:
        left = 1 - age_s / shell.fade_s
        flash = math.exp(-age_s / 0.12)
        canvas.shine(shell.center, 60 + 90 * event.strength, shell.colors[0], 0.85 * flash)
        canvas.shine(shell.center, 40 * event.strength, (255, 255, 255), flash)
        before_s = max(0.0, age_s - 0.1)
        ends = self._reach(shell, age_s)
        tails = self._reach(shell, before_s)
        color = blend(shell.colors[1], shell.colors[0], left)
        paint = faded(color, min(1.0, 1.6 * left))
        for tail, end in zip(tails, ends, strict=True):
            canvas.line([tail, end], paint, 1.5)
        for number, after_s in enumerate(shell.crackles_s):
            if 0 <= age_s - after_s < 0.08:
                canvas.shine(ends[(7 * number) % len(ends)], 9, (255, 255, 255), 1.0)

    def _reach(self, shell: Shell, age_s: float) -> list[Point]:
        traveled = (1 - math.exp(-DRAG * age_s)) / DRAG
        sunk = np.array([0, FALL * age_s**2 / 2])
        flown = (shell.speeds * traveled + sunk).tolist()
        return [(shell.center[0] + x, shell.center[1] + y) for x, y in flown]
