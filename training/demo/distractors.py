"""Distractors: movement that has nothing to do with the sound, shared by all classes."""

from __future__ import annotations

import math
from dataclasses import dataclass

from training.demo.events import Chance, draw_between
from training.demo.picture import HEIGHT, WIDTH, Canvas, Color, blend, faded, hsv


@dataclass(frozen=True, slots=True)
class Drift:
    """A thing that crosses the picture at an even pace, swaying as it goes."""

    kind: str
    start: tuple[float, float]
    pace: tuple[float, float]  # pixels per second
    size: float
    sway_hz: float
    color: Color

    @classmethod
    def draw(cls, chance: Chance) -> Drift:
        """Return one drawn by lot."""
        kind = str(chance.choice(["mote", "mote", "balloon", "butterfly", "leaf"]))
        heading = float(chance.choice([-1, 1]))
        return cls(
            kind=kind,
            start=(draw_between(chance, 0, WIDTH), draw_between(chance, 10, 0.7 * HEIGHT)),
            pace=(heading * draw_between(chance, 8, 45), draw_between(chance, -12, 12)),
            size=draw_between(chance, 4, 10),
            sway_hz=draw_between(chance, 0.4, 2.2),
            color=hsv(
                chance.random(), draw_between(chance, 0.3, 0.9), chance.uniform(0.5, 1)
            ),
        )

    def paint(self, canvas: Canvas, time_s: float) -> None:
        """Paint it as it stands at a time."""
        sway = math.sin(2 * math.pi * self.sway_hz * time_s)
        x = (self.start[0] + self.pace[0] * time_s) % (WIDTH + 40) - 20
        y = self.start[1] + self.pace[1] * time_s + 5 * sway
        if self.kind == "mote":
            canvas.shine((x, y), 2 * self.size, self.color, 0.45)
        elif self.kind == "balloon":
            canvas.line(
                [(x, y), (x + 2 * sway, y + 3.5 * self.size)], (70, 70, 70, 160), 0.5
            )
            canvas.ellipse((x, y), (self.size, 1.2 * self.size), self.color)
            canvas.ellipse(
                (x - self.size / 3, y - self.size / 2),
                (self.size / 4, self.size / 3),
                (255, 255, 255, 120),
            )
        elif self.kind == "butterfly":
            wing = self.size * (
                0.35 + 0.65 * abs(math.sin(3 * math.pi * self.sway_hz * time_s))
            )
            dark = blend(self.color, (0, 0, 0), 0.3)
            for side in (-1, 1):
                canvas.ellipse((x + side * wing / 2, y - 2), (wing / 2, 4), self.color)
                canvas.ellipse((x + side * wing / 3, y + 3), (wing / 3, 2.6), dark)
            canvas.line([(x, y - 4), (x, y + 5)], (40, 30, 30), 1)
        else:
            tip = (x + self.size * math.cos(2 * sway), y + self.size * math.sin(2 * sway))
            across = (-(tip[1] - y) / 3, (tip[0] - x) / 3)
            canvas.polygon(
                [
                    (2 * x - tip[0], 2 * y - tip[1]),
                    (x + across[0], y + across[1]),
                    tip,
                    (x - across[0], y - across[1]),
                ],
                faded(self.color, 0.9),
            )
