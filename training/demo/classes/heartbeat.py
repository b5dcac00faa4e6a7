"""Heartbeat."""

from __future__ import annotations

import math

import numpy as np

from training.demo.backdrops import INDOORS
from training.demo.events import Chance, Event, beats, draw_between, draw_log, ringing
from training.demo.picture import WIDTH, Canvas, blend, faded, hsv
from training.demo.scene import Look
from training.demo.sound import Samples, burst, falling, mix

TRACE_WIDTH = 256  # pixels


class Heartbeat:
    """A heart that pulses lub-dub above the trace of a monitor.

    Event model: a pulse with slight jitter; each beat is a lub (place 0) and, after
    roughly a third of the period, a weaker dub (place 1).

    Heard and seen: both thumps (the heart swells twice, the trace spikes), the rate, the
    gap between lub and dub, the heart's size (a bigger one beats lower).
    """

    look = Look(INDOORS)

    def __init__(self, chance: Chance, duration_s: float) -> None:
        self.duration_s = duration_s
        self.period_s = draw_log(chance, 0.4, 1.25)
        self.gap_s = self.period_s * draw_between(chance, 0.26, 0.38)
        self.size = draw_between(chance, 2.6, 4.4)
        events = []
        for onset_s in beats(chance, duration_s, self.period_s, jitter=0.05):
            strength = draw_between(chance, 0.8, 1)
            events.append(Event(onset_s, strength, 0))
            if onset_s + self.gap_s < duration_s:
                events.append(Event(onset_s + self.gap_s, 0.6 * strength, 1))
        self.events = tuple(events)
        self.center = (draw_between(chance, 105, 215), draw_between(chance, 84, 102))
        self.color = hsv(draw_between(chance, 0.9, 1.05), chance.uniform(0.6, 0.95), 0.9)
        self.trace_color = hsv(draw_between(chance, 0.15, 0.6), 0.7, 1.0)
        self.panel = hsv(chance.random(), 0.3, draw_between(chance, 0.04, 0.2))
        self.sweep_s = draw_between(chance, 2.5, 5.0)
        self.pitch_hz = 190 / self.size

    def sound(self, chance: Chance) -> Samples:
        """Return two dull thumps per beat, the second shorter and higher."""
        thumps = []
        for rise, decay_s in ((1.0, 0.075), (1.35, 0.05)):
            pitch_hz = rise * self.pitch_hz
            body = falling(1.9 * pitch_hz, pitch_hz, 0.04, decay_s)
            warmth = 0.5 * falling(3.8 * pitch_hz, 2 * pitch_hz, 0.04, 0.7 * decay_s)
            flesh = 0.5 * burst(chance, 0.03, 60, 500, attack_s=0.008)
            thumps.append(mix(0.5, ((0, body), (0, warmth), (0, flesh))))
        return mix(
            self.duration_s,
            ((e.onset_s, e.strength * thumps[e.place]) for e in self.events),
        )

    def paint_still(self, canvas: Canvas) -> None:
        """Paint the monitor's panel."""
        left = (WIDTH - TRACE_WIDTH) / 2 - 8
        canvas.box((left, 174), (TRACE_WIDTH + 16, 56), self.panel, 7, (120, 125, 130), 1.5)
        grid = (*self.trace_color, 45)
        for x in np.arange(left + 8, left + TRACE_WIDTH + 10, 16):
            canvas.line([(x, 178), (x, 226)], grid, 0.5)
        for y in (186, 202, 218):
            canvas.line([(left + 4, y), (left + TRACE_WIDTH + 12, y)], grid, 0.5)

    def paint_moving(self, canvas: Canvas, time_s: float) -> None:
        """Paint the heart and the trace."""
        swell = ringing(self.events, time_s, 0.11)
        scale = self.size * (1 + 0.2 * swell)
        for halo in (1.4, 1.2):
            light = blend(self.color, (255, 255, 255), 0.3)
            canvas.polygon(
                self._outline(halo * scale, 2.0), faded(light, 0.08 + 0.2 * swell)
            )
        dark = blend(self.color, (0, 0, 0), 0.45)
        for grow, lift, paint in ((1.06, 1.5, dark), (1.0, 0.0, self.color)):
            canvas.polygon(self._outline(grow * scale, lift), paint)
        shine = (self.center[0] - 7 * scale, self.center[1] - 6 * scale)
        canvas.shine(shine, 6 * scale, (255, 255, 255), 0.45 + 0.4 * swell)
        self._trace(canvas, time_s)

    def _outline(self, scale: float, lift: float) -> list[tuple[float, float]]:
        turn = np.linspace(0, 2 * math.pi, 60)
        x = 16 * np.sin(turn) ** 3
        y = (
            13 * np.cos(turn)
            - 5 * np.cos(2 * turn)
            - 2 * np.cos(3 * turn)
            - np.cos(4 * turn)
        )
        return list(
            zip(
                (self.center[0] + scale * x).tolist(),
                (self.center[1] + lift - scale * y).tolist(),
                strict=True,
            )
        )

    def _trace(self, canvas: Canvas, time_s: float) -> None:
        left = (WIDTH - TRACE_WIDTH) / 2
        x = np.arange(0, TRACE_WIDTH, 2.0)
        head = TRACE_WIDTH * (time_s % self.sweep_s) / self.sweep_s
        lag_s = ((head - x) % TRACE_WIDTH) / TRACE_WIDTH * self.sweep_s
        drawn_s = time_s - lag_s
        y = np.full_like(x, 206)
        for event in self.events:
            since = drawn_s - event.onset_s
            if event.place == 0:
                y -= 24 * event.strength * np.exp(-(((since - 0.02) / 0.022) ** 2))
                y += 9 * event.strength * np.exp(-(((since - 0.07) / 0.025) ** 2))
            else:
                y -= 6 * np.exp(-(((since - 0.04) / 0.05) ** 2))
        behind = x <= head
        ahead = x > head + 12
        for part in (behind, ahead):
            points = list(zip((left + x[part]).tolist(), y[part].tolist(), strict=True))
            if len(points) > 1:
                canvas.line(points, self.trace_color, 1.8)
        tip = (left + head, float(np.interp(head, x, y)))
        canvas.shine(tip, 8, (255, 255, 255), 0.9)
