"""What is heard and what is seen of an event happen together in the encoded clip."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training.demo.classes.ball import Ball
from training.demo.clip import Clip
from training.demo.encode import FPS, encode_clip
from training.demo.events import Event

STRUCK = ["ball", "bell", "clock", "drum", "fireworks", "heartbeat", "xylophone"]
FLASHING = ["bell", "drum", "fireworks", "heartbeat", "xylophone"]
NUMBERS = range(3)
HOP_S = 0.004

Decode = Callable[[Path], Any]


@pytest.fixture(scope="module")
def encoded(tmp_path_factory: pytest.TempPathFactory, decode: Decode) -> Callable[..., Any]:
    folder = tmp_path_factory.mktemp("clips")
    known: dict[tuple[str, int], Any] = {}

    def encoded(label: str, number: int) -> Any:
        if (label, number) not in known:
            clip = Clip(label, number, seed=11)
            path = folder / f"{label}-{number}.mp4"
            encode_clip(path, clip.frames(), clip.sound())
            known[label, number] = clip, decode(path)
        return known[label, number]

    return encoded


def isolated(events: tuple[Event, ...], apart_s: float, until_s: float) -> list[float]:
    onsets = sorted({event.onset_s for event in events if event.strength >= 0.5})
    everything = np.array([event.onset_s for event in events])
    return [
        onset_s
        for onset_s in onsets
        if apart_s < onset_s < until_s - apart_s
        and not np.any((np.abs(everything - onset_s) < apart_s) & (everything != onset_s))
    ]


def rising_sound(decoded: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return times and how much louder it has got, in log energy, over 12 ms."""
    hop = round(HOP_S * decoded.sample_rate_hz)
    count = len(decoded.sound) // hop
    energy = (decoded.sound[: count * hop].astype(float).reshape(count, hop) ** 2).sum(1)
    level = np.log(energy + energy.mean() / 30)
    rise = np.maximum(0, level[3:] - level[:-3])
    return decoded.sound_start_s + HOP_S * (np.arange(count - 3) + 2), rise


@pytest.mark.parametrize("label", STRUCK)
def test_sound_sets_in_at_the_events(label: str, encoded: Callable[..., Any]) -> None:
    errors_s = []
    for number in NUMBERS:
        clip, decoded = encoded(label, number)
        times_s, rise = rising_sound(decoded)
        for onset_s in isolated(clip.scene.events, 0.1, clip.duration_s):
            near = np.flatnonzero(np.abs(times_s - onset_s) < 0.08)
            errors_s.append(abs(times_s[near[rise[near].argmax()]] - onset_s))
    assert len(errors_s) >= 3
    assert np.median(errors_s) < 0.012
    assert np.mean(np.array(errors_s) < 0.03) > 0.8


@pytest.mark.parametrize("label", FLASHING)
def test_picture_lights_up_at_the_events(label: str, encoded: Callable[..., Any]) -> None:
    off_by = []
    for number in NUMBERS:
        clip, decoded = encoded(label, number)
        gray = decoded.pixels.astype(float).mean(3)
        lighter = np.maximum(0, np.diff(gray, axis=0)).mean((1, 2))
        for onset_s in isolated(clip.scene.events, 0.2, clip.duration_s):
            first = int(np.ceil(onset_s * FPS))
            near = range(max(1, first - 3), min(len(gray), first + 4))
            off_by.append(max(near, key=lambda frame: lighter[frame - 1]) - first)
    assert len(off_by) >= 2
    assert np.mean(np.abs(off_by) <= 1) > 0.8


def test_ball_touches_the_ground_when_it_thuds(encoded: Callable[..., Any]) -> None:
    off_by = []
    for number in NUMBERS:
        clip, decoded = encoded("ball", number)
        scene: Ball = clip.scene
        gray = decoded.pixels.astype(float).mean(3)
        moved = np.abs(gray - np.median(gray, axis=0)) > 20
        lowest = np.array([lowest_row(mask, scene) for mask in moved])
        for onset_s in isolated(scene.events, 0.25, clip.duration_s):
            impact = round(onset_s * FPS)
            near = np.arange(max(0, impact - 3), min(len(lowest), impact + 4))
            off_by.append(near[lowest[near].argmax()] - impact)
    assert len(off_by) >= 3
    assert np.mean(np.abs(off_by) <= 1) > 0.8


def lowest_row(mask: np.ndarray, scene: Ball) -> float:
    """Return the mean row of what moved above the ground, so of the ball."""
    above = mask[: int(scene.floor)]
    rows = np.flatnonzero(above.sum(1) > 0.5 * scene.radius)
    return float(rows.max()) if rows.size else 0.0


def test_ball_flies_as_gravity_says() -> None:
    ball = Ball(np.random.default_rng(0), 5.0)
    for before, after in zip(ball.events, ball.events[1:], strict=False):
        gap_s = after.onset_s - before.onset_s
        middle_s = (before.onset_s + after.onset_s) / 2
        assert ball.height(before.onset_s) == pytest.approx(0, abs=1e-6)
        assert ball.height(middle_s) == pytest.approx(1480 * gap_s**2 / 8)


def test_engine_revs_raise_pitch_and_needle_together(encoded: Callable[..., Any]) -> None:
    clip, _ = encoded("engine", 0)
    scene = clip.scene
    time_s = np.arange(0, clip.duration_s, 0.01)
    speed = scene.speed(time_s)
    for event in scene.events:
        before, after = np.interp([event.onset_s, event.onset_s + 0.15], time_s, speed)
        assert after > before


@pytest.mark.parametrize("number", NUMBERS)
def test_wave_hiss_follows_the_water(number: int, encoded: Callable[..., Any]) -> None:
    clip, decoded = encoded("waves", number)
    count = len(decoded.times_s) - 1
    width = decoded.sample_rate_hz // FPS
    sound = decoded.sound[: count * width].astype(float).reshape(count, width)
    loudness = np.log((sound**2).mean(1))
    white = (decoded.pixels[:count, 170:].min(3) > 0).mean((1, 2))
    rush = clip.scene.rush(decoded.times_s[:count] + 0.5 / FPS)
    assert np.corrcoef(loudness, rush)[0, 1] > 0.7
    rows = decoded.pixels[:count, 170:].astype(float).mean((2, 3))
    assert white.shape == loudness.shape
    motion = np.abs(rows - rows.mean(0)).mean(1)
    assert motion.std() > 0
