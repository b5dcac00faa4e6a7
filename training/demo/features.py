r"""Features made up: paired rows of a public set's exact sizes, as hard as one wishes.

An item of class c has, in modality m, the latent row

$$x_m = \tfrac{s_m}{\sqrt2}\, e_{c,k}
        \oplus \bigl(\sqrt\rho\, z + \sqrt{1-\rho}\,\epsilon_m\bigr) \oplus 0
        + (\text{standard normal noise on all but the shared part}),$$

turned by a random orthogonal matrix and stretched per latent dimension. $e_{c,k}$ is one
of the class's modes, the same in every modality, so any two modes lie $s_m$ noise
deviations apart: with one mode per class, $s_m$ alone decides how well a modality can be
classified (see ``bayes_accuracy``). $z$ is what both members of a pair share beyond their
class: it makes pairs findable and says nothing of the class.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64
from scipy.stats import norm

from crossmodal.errors import ConfigError
from crossmodal.features import FeaturesFile, table
from crossmodal.modality import Modality
from training.config import Settings, check_range
from training.datasets.shapes import SetShape

LARGEST_TO_SMALLEST = 3.0  # size of the largest class over that of the smallest
QUIET = 0.05  # deviation of the noise outside the latent dimensions
NARROWEST, WIDEST = 0.5, 2.0  # stretch of latent dimensions

Latent = Float32[np.ndarray, "items latent"]
Classes = Int64[np.ndarray, "items"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difficulty(Settings):
    """How hard the made-up features are.

    Attributes:
        audio_separation: Distance between modes in the sound, in noise deviations.
        visual_separation: The same in the picture.
        modes: Modes per class.
        factors: Dimensions that both members of a pair share beyond their class.
        pair_correlation: Correlation of the members in each of them.
        nuisance: Latent dimensions of noise alone.
        label_noise: Share of the items that bear another class's label.
    """

    audio_separation: float = 6.0
    visual_separation: float = 6.5
    modes: int = 2
    factors: int = 16
    pair_correlation: float = 0.8
    nuisance: int = 24
    label_noise: float = 0.05

    def __post_init__(self) -> None:
        check_range("audio_separation", self.audio_separation, 0)
        check_range("visual_separation", self.visual_separation, 0)
        check_range("modes", self.modes, 1)
        check_range("factors", self.factors, 0)
        check_range("pair_correlation", self.pair_correlation, 0, 1)
        check_range("nuisance", self.nuisance, 0)
        check_range("label_noise", self.label_noise, 0, 1)

    @property
    def separations(self) -> Mapping[Modality, float]:
        """The distance between modes by modality."""
        return {
            Modality.AUDIO: self.audio_separation,
            Modality.VISUAL: self.visual_separation,
        }


def make_features(
    shape: SetShape, difficulty: Difficulty, *, seed: int = 0, items: int | None = None
) -> FeaturesFile:
    """Return paired features of the set's exact sizes, in mixed order.

    Args:
        shape: Sizes, widths and classes.
        difficulty: How hard they are.
        seed: What all chance follows from.
        items: Pairs in all, if fewer; train and test keep their proportion.

    Raises:
        ConfigError: If there are fewer items than two per class and split, or more latent
            dimensions than a modality has.
    """
    train, test = _sizes(shape, items)
    rng = np.random.default_rng(seed)
    true = np.concatenate(
        [
            rng.permutation(_class_column(count, len(shape.classes)))
            for count in (train, test)
        ]
    )
    mode = true * difficulty.modes + rng.integers(difficulty.modes, size=len(true))
    shared = rng.standard_normal((len(true), difficulty.factors), dtype=np.float32)
    shown = _mislabel(true, difficulty.label_noise, len(shape.classes), rng)
    ids = [f"train_{n}" for n in range(train)] + [f"test_{n}" for n in range(test)]
    columns: dict[str, Any] = {
        "id": ids,
        "pair": ids,
        "split": ["train"] * train + ["test"] * test,
        "label": [shape.classes[number] for number in shown],
    }
    modalities = {}
    for modality, dim in shape.dims.items():
        latent = _latent_rows(
            mode, shared, difficulty, difficulty.separations[modality], shape, rng
        )
        modalities[modality] = table(_turned(latent, dim, modality, rng), **columns)
    return FeaturesFile(f"{shape.name}-like", modalities)


def bayes_accuracy(separation: float, classes: int) -> float:
    """Return the best accuracy on equally likely classes with one mode each.

    The probability that the one dimension raised by ``separation / sqrt(2)`` is the
    largest of ``classes`` independent standard normal ones.
    """
    at = np.linspace(-9.0, 9.0 + separation, 20_001)
    density = norm.pdf(at - separation / np.sqrt(2)) * norm.cdf(at) ** (classes - 1)
    return float(np.trapezoid(density, at))


def _sizes(shape: SetShape, items: int | None) -> tuple[int, int]:
    """Return how many items train and test."""
    wanted = shape.items if items is None else items
    least = 2 * len(shape.classes)

    def train_of(total: int) -> int:
        return round(total * shape.train / shape.items)

    if wanted > shape.items or wanted - train_of(wanted) < least:
        fewest = next(n for n in range(shape.items) if n - train_of(n) >= least)
        raise ConfigError(
            f"--items {items}: expected {fewest} (2 of a class for test) to {shape.items}"
        )
    return train_of(wanted), wanted - train_of(wanted)


def _class_column(count: int, classes: int) -> Classes:
    """Return class numbers, sorted; sizes fall evenly from the first class to the last."""
    share = np.linspace(LARGEST_TO_SMALLEST, 1.0, classes)
    exact = np.cumsum(share / share.sum()) * count
    sizes = np.diff(np.concatenate([[0], np.round(exact)])).astype(np.int64)
    return np.repeat(np.arange(classes), sizes)


def _mislabel(
    true: Classes, share: float, classes: int, rng: np.random.Generator
) -> Classes:
    wrong = rng.permutation(len(true))[: round(share * len(true))]
    shown = true.copy()
    shown[wrong] = (true[wrong] + rng.integers(1, classes, size=len(wrong))) % classes
    return shown


def _latent_rows(
    mode: Classes,
    shared: Float32[np.ndarray, "items factors"],
    difficulty: Difficulty,
    separation: float,
    shape: SetShape,
    rng: np.random.Generator,
) -> Latent:
    raised = len(shape.classes) * difficulty.modes
    width = raised + difficulty.factors + difficulty.nuisance
    latent = rng.standard_normal((len(mode), width), dtype=np.float32)
    latent[np.arange(len(mode)), mode] += np.float32(separation / np.sqrt(2))
    factors = slice(raised, raised + difficulty.factors)
    rho = np.float32(difficulty.pair_correlation)
    latent[:, factors] = np.sqrt(rho) * shared + np.sqrt(1 - rho) * latent[:, factors]
    return latent


def _turned(
    latent: Latent, dim: int, modality: Modality, rng: np.random.Generator
) -> Float32[np.ndarray, "items dim"]:
    width = latent.shape[1]
    if width > dim:
        raise ConfigError(
            f"{width} latent dimensions (classes x modes + factors + nuisance) do not fit "
            f"into {modality} features {dim} wide"
        )
    axes, _ = np.linalg.qr(rng.standard_normal((dim, width)))
    stretch = rng.uniform(NARROWEST, WIDEST, size=width)
    features = rng.standard_normal((len(latent), dim), dtype=np.float32)
    features *= np.float32(QUIET)
    features += latent @ (axes * stretch).T.astype(np.float32)
    return features
