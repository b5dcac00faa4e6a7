"""No class is given away by level, spectral balance or color alone.

The same plain classifiers recognize the classes from how sound and picture go on in
time, so that the corpus is not just noise either.
"""

from typing import Any

import numpy as np
import pytest
from sklearn.base import ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from training.demo.clip import Clip
from training.demo.corpus import PlannedClip, plan_clips

CLASSIFIERS = {
    "logistic": lambda: LogisticRegression(max_iter=2000),
    "neighbors": lambda: KNeighborsClassifier(5),
    "forest": lambda: RandomForestClassifier(40, random_state=0),
}
CLIPS, SEED = 96, 2
WINDOW = 1024

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("difficulty")]  # read once


def spectrogram(sound: np.ndarray) -> np.ndarray:
    """Return the power of each (frame, frequency) of windows that do not overlap."""
    frames = sound[: len(sound) // WINDOW * WINDOW].astype(float).reshape(-1, WINDOW)
    return np.abs(np.fft.rfft(frames * np.hanning(WINDOW), axis=1)) ** 2


def level_and_brightness(power: np.ndarray) -> list[float]:
    """Return mean level and two readings of the mean spectral centroid, all in logs."""
    bins = np.arange(power.shape[1])
    magnitude = np.sqrt(power) + 1e-9
    of_frames = (magnitude @ bins / magnitude.sum(1)).mean()
    of_clip = power.mean(0) @ bins / power.mean(0).sum()
    return [np.log(power.mean()), np.log(of_frames), np.log(of_clip)]


def bands_in_time(power: np.ndarray) -> np.ndarray:
    """Return mean, spread and flux of log band energies, freed of the mean level."""
    edges = np.unique(np.geomspace(1, power.shape[1], 25).round().astype(int))
    bands = np.log(np.add.reduceat(power, edges[:-1], axis=1) + 1e-7)
    bands -= bands.mean()
    flux = np.abs(np.diff(bands, axis=0)).mean(0)
    return np.concatenate([bands.mean(0), bands.std(0), flux])


def layout_and_motion(pixels: np.ndarray) -> np.ndarray:
    """Return where there are edges and where it moves, on a grid of 8 by 10."""
    gray = pixels[:, ::2, ::2].astype(np.float32).mean(3)
    motion = np.abs(np.diff(gray, axis=0)).mean(0)
    edges = np.abs(np.diff(gray, axis=1, append=gray[:, -1:])).mean(0)
    cells = [picture.reshape(8, 15, 10, 16).mean((1, 3)) for picture in (motion, edges)]
    return np.log(np.concatenate(cells).ravel() + 0.1)


def readings_of(planned: PlannedClip) -> tuple[Any, ...]:
    """Read a clip as it is before encoding, which leaves level and color as they are."""
    clip = Clip(planned.label, planned.number, SEED)
    pixels = np.stack(list(clip.frames(step=3)))
    power = spectrogram(clip.sound())
    return (
        planned.label,
        level_and_brightness(power),
        pixels.mean((0, 1, 2)),
        bands_in_time(power),
        layout_and_motion(pixels),
    )


@pytest.fixture(scope="module")
def readings() -> dict[str, np.ndarray]:
    rows = [readings_of(planned) for planned in plan_clips(CLIPS)]
    names = ("label", "level", "color", "bands", "layout")
    return {
        name: np.array(list(values))
        for name, values in zip(names, zip(*rows, strict=True), strict=True)
    }


def accuracy(
    classifier: ClassifierMixin, features: np.ndarray, labels: np.ndarray
) -> float:
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    model = make_pipeline(StandardScaler(), classifier)
    return float(cross_val_score(model, features, labels, cv=folds).mean())


@pytest.mark.parametrize("classifier", CLASSIFIERS)
def test_loudness_and_brightness_of_the_sound_do_not_give_the_class_away(
    classifier: str, readings: dict[str, np.ndarray]
) -> None:
    for columns in ([0, 1], [0, 2], [0, 1, 2]):
        level = readings["level"][:, columns]
        assert accuracy(CLASSIFIERS[classifier](), level, readings["label"]) <= 0.40


@pytest.mark.parametrize("classifier", CLASSIFIERS)
def test_mean_color_of_the_picture_does_not_give_the_class_away(
    classifier: str, readings: dict[str, np.ndarray]
) -> None:
    color = readings["color"]
    assert accuracy(CLASSIFIERS[classifier](), color, readings["label"]) <= 0.40


@pytest.mark.parametrize("features", ["bands", "layout"])
def test_what_goes_on_in_time_tells_the_classes_apart(
    features: str, readings: dict[str, np.ndarray]
) -> None:
    logistic = CLASSIFIERS["logistic"]()
    assert accuracy(logistic, readings[features], readings["label"]) >= 0.70
