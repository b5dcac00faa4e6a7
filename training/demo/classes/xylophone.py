"""Xylophone."""

from __future__ import annotations

import math

from training.demo.backdrops import INDOORS
from training.demo.events import Chance, Event, beats, draw_between, draw_log, ringing
from training.demo.picture import Canvas, blend, hsv
from training.demo.scene import Look
from training.demo.sound import Samples, burst, mix, struck

MAJOR = (0, 2, 4, 5, 7, 9, 11, 12)
PENTATONIC = (0, 2, 4, 7, 9, 12, 14, 16)


class Xylophone:
    """A melody on a xylophone: the struck bar lights up and sounds its note.

    Event model: notes on a pulse, some left out, wandering over the bars in small steps;
    place is the bar, from the left and low to the right and high.

    Heard and seen: which bar is struck when and how hard; the tempo; the instrument's
    size (a smaller one is tuned higher).
    """

    look = Look(INDOORS)

    def __init__(self, chance: Chance, duration_s: float) -> None:
        self.duration_s = duration_s
        self.bars = int(chance.integers(5, 9))
        self.scale = MAJOR if chance.random() < 0.5 else PENTATONIC
        self.size = draw_between(chance, 0.85, 1.15)
        self.pitch_hz = 420 / self.size**3 * draw_between(chance, 0.9, 1.12)
        self.period_s = draw_log(chance, 0.16, 0.5)
        bar = int(chance.integers(0, self.bars))
        events: list[Event] = []
        for onset_s in beats(chance, duration_s, self.period_s, jitter=0.02):
            bar = min(self.bars - 1, max(0, bar + int(chance.integers(-2, 3))))
            if chance.random() < 0.8 or not events:
                events.append(Event(onset_s, draw_between(chance, 0.6, 1), bar))
        self.events = tuple(events)
        hue, spread = chance.random(), draw_between(chance, 0.0, 0.9)
        saturation = draw_between(chance, 0.35, 0.85)
        self.colors = [
            hsv(hue + spread * number / self.bars, saturation, 0.82)
            for number in range(self.bars)
        ]
        self.frame = hsv(draw_between(chance, 0, 1), 0.35, draw_between(chance, 0.2, 0.6))
        self.mallet = hsv(chance.random(), 0.8, 0.9)
        self.middle = draw_between(chance, 138, 156)

    def _bar(self, number: int) -> tuple[float, float, float]:
        """Return the middle, half width and half height of a bar, in pixels."""
        pitch = 270 * self.size / self.bars
        x = 160 + pitch * (number - (self.bars - 1) / 2)
        return x, 0.42 * pitch, self.size * (72 - 30 * number / self.bars)

    def sound(self, chance: Chance) -> Samples:
        """Return the struck notes: wooden partials that die quickly, and the stroke."""
        stroke = 0.6 * burst(chance, 0.006, 500, 5000)
        notes = []
        for number in range(self.bars):
            pitch_hz = self.pitch_hz * 2 ** (self.scale[number] / 12)
            wood = struck(pitch_hz, (1, 3, 6.1), (1, 0.4, 0.18), (0.28, 0.09, 0.04))
            notes.append(mix(1.5, ((0, wood), (0, stroke))))
        return mix(
            self.duration_s, ((e.onset_s, e.strength * notes[e.place]) for e in self.events)
        )

    def paint_still(self, canvas: Canvas) -> None:
        """Paint the frame."""
        left, right = self._bar(0), self._bar(self.bars - 1)
        for side in (-0.55, 0.55):
            ends = [
                (left[0] - left[1] - 6, self.middle + side * left[2]),
                (right[0] + right[1] + 6, self.middle + side * right[2]),
            ]
            canvas.line([(x + 2, y + 5) for x, y in ends], (0, 0, 0, 90), 12)
            canvas.line(ends, self.frame, 11)

    def paint_moving(self, canvas: Canvas, time_s: float) -> None:
        """Paint the bars and the two mallets."""
        for number, color in enumerate(self.colors):
            x, wide, tall = self._bar(number)
            lit = ringing(self.events, time_s, 0.16, place=number)
            y = self.middle + 3 * lit * math.cos(40 * time_s)
            dark = blend(color, (0, 0, 0), 0.35)
            canvas.box((x - wide + 2, y - tall + 5), (2 * wide, 2 * tall), (0, 0, 0, 80), 4)
            paint = blend(color, (255, 255, 235), 0.8 * lit)
            canvas.box((x - wide, y - tall), (2 * wide, 2 * tall), paint, 4, dark, 1.5)
            for end in (-0.72, 0.72):
                canvas.ellipse((x, y + end * tall), (2.2, 2.2), dark)
            if lit > 0.05:
                canvas.shine((x, y), 1.2 * tall, (255, 250, 210), 0.7 * lit)
        for hand in (0, 1):
            self._mallet(canvas, time_s, hand)

    def _mallet(self, canvas: Canvas, time_s: float, hand: int) -> None:
        mine = self.events[hand::2]
        past = [event for event in mine if event.onset_s <= time_s]
        coming = [event for event in mine if event.onset_s > time_s]
        start_x = (100.0, 220.0)[hand]
        from_x = self._bar(past[-1].place)[0] if past else start_x
        to_x = self._bar(coming[0].place)[0] if coming else from_x
        since_s = time_s - past[-1].onset_s if past else 9.0
        until_s = coming[0].onset_s - time_s if coming else 9.0
        share = 1 / (1 + math.exp(12 * (until_s / max(1e-6, since_s + until_s) - 0.5)))
        head_x = from_x + share * (to_x - from_x)
        lift = 46 * min(1.0, since_s / 0.12, until_s / 0.12)
        head = (head_x, self.middle + 8 - lift)
        grip = (160 + 1.25 * (head_x - 160) + (-34, 34)[hand], 250 - 0.5 * lift)
        canvas.rod(grip, head, (225, 200, 160), 3)
        canvas.ellipse(head, (8.5, 8.5), blend(self.mallet, (0, 0, 0), 0.35))
        canvas.ellipse(head, (7.5, 7.5), self.mallet)
        canvas.shine((head[0] - 2, head[1] - 3), 6, (255, 255, 255), 0.7)
