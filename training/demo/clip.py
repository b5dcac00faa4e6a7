"""One clip: everything about it follows from the seed, its class and its number."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float32, UInt8

from training.demo.backdrops import BACKDROPS, draw_tone
from training.demo.catalog import CLASSES
from training.demo.distractors import Drift
from training.demo.encode import FPS
from training.demo.events import Chance, draw_between
from training.demo.mastering import Recording
from training.demo.picture import Grade
from training.demo.scene import Scene

SHORTEST_S, LONGEST_S = 3.0, 5.6


def draw_grade(chance: Chance) -> Grade:
    """Return a grade drawn by lot: exposure, white balance and gamma."""
    exposure, gamma = draw_between(chance, 0.72, 1.15), draw_between(chance, 0.75, 1.35)
    levels = (np.arange(256) / 255) ** gamma
    red, green, blue = (
        tuple(np.clip(255 * gain * levels, 0, 255).round().astype(int).tolist())
        for gain in exposure * chance.uniform(0.82, 1.12, 3)
    )
    return red, green, blue


class Clip:
    """A scene in its surroundings, ready to be heard and seen.

    Four independent streams of chance (scene, sound, surroundings, recording) keep a
    change of one from touching the others.
    """

    def __init__(self, label: str, number: int, seed: int) -> None:
        root = np.random.SeedSequence([seed, number, *label.encode()])
        scene, self._sounds, around, recording = (
            np.random.default_rng(child) for child in root.spawn(4)
        )
        frames = int(scene.integers(round(SHORTEST_S * FPS), round(LONGEST_S * FPS) + 1))
        self.label = label
        self.frame_count = frames
        self.duration_s = frames / FPS
        self.scene: Scene = CLASSES[label](scene, self.duration_s)
        self._backdrop = str(around.choice(self.scene.look.backdrops))
        self._tone = draw_tone(around, self.scene.look.brightness)
        self._grade = draw_grade(around)
        self._drifts = [Drift.draw(around) for _ in range(int(around.integers(0, 4)))]
        self._around = around
        self._recording = Recording.draw(recording, self.duration_s)
        self._recorder = recording

    def sound(self) -> Float32[np.ndarray, "time"]:
        """Return the recorded sound; call once, as it uses up chance."""
        return self._recording.take(self.scene.sound(self._sounds), self._recorder)

    def frames(self, step: int = 1) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
        """Yield every step-th picture in order; call once, as it uses up chance."""
        plain = BACKDROPS[self._backdrop](self._tone, self._around)
        self.scene.paint_still(plain)
        still = plain.graded(self._grade)
        canvas = still.copy()
        for number in range(0, self.frame_count, step):
            canvas.restart(still)
            for drift in self._drifts:
                drift.paint(canvas, number / FPS)
            self.scene.paint_moving(canvas, number / FPS)
            yield np.asarray(canvas.shrunk())
