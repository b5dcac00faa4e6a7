"""What is heard and what is seen of an event happen together in the encoded clip."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training.demo.classes.ball import Ball
from training.demo.classes.siren import Siren
from training.demo.clip import Clip
from training.demo.encode import FPS, encode_clip
from training.demo.events import Event

STRUCK = ["ball", "bell", "clock", "drum", "fireworks", "heartbeat", "xylophone"]
FLASHING = ["bell", "drum", "fireworks", "xylophone"]
NUMBERS = range(2)
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


def per_frame(decoded: Any) -> np.ndarray:
    """Return the sound cut into one row per frame."""
    width = decoded.sample_rate_hz // FPS
    count = min(len(decoded.sound) // width, len(decoded.pixels))
    return decoded.sound[: count * width].astype(float).reshape(count, width)


@pytest.mark.parametrize("number", NUMBERS)
def test_siren_lamps_take_turns_with_the_pitch(
    number: int, encoded: Callable[..., Any]
) -> None:
    clip, decoded = encoded("siren", number)
    scene: Siren = clip.scene
    rows = per_frame(decoded)
    spectrum = np.abs(np.fft.rfft(rows * np.hanning(rows.shape[1]), 8192, axis=1))
    frequency_hz = np.fft.rfftfreq(8192, 1 / decoded.sample_rate_hz)
    spectrum[:, (frequency_hz < 350) | (frequency_hz > 2200)] = 0
    pitch_hz = frequency_hz[spectrum.argmax(1)]

    def lamp(x: float) -> np.ndarray:
        across = x if scene.pace > 0 else 150 - x
        left, top = round(scene.left + scene.size * across), round(206 - scene.size * 78)
        area = decoded.pixels[: len(rows), top - 4 : top + 5, left - 6 : left + 7]
        return area.astype(float).mean((1, 2, 3))

    assert np.corrcoef(np.log(pitch_hz), lamp(63) - lamp(84))[0, 1] > 0.6


@pytest.mark.parametrize("number", NUMBERS)
def test_surf_is_loud_when_the_water_is_far_up_the_beach(
    number: int, encoded: Callable[..., Any]
) -> None:
    _, decoded = encoded("waves", number)
    loudness = np.log((per_frame(decoded) ** 2).mean(1))
    beach = decoded.pixels[: len(loudness), 180:].astype(float)
    flooded = np.abs(beach - beach[loudness.argmin()]).mean((1, 2, 3))
    assert np.corrcoef(loudness, flooded)[0, 1] > 0.6
