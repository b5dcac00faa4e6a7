import numpy as np
import pytest
from scipy.special import softmax

from training.classification.score_pooling import fit_pooling


def likelihood(
    weights: np.ndarray, offset: np.ndarray, scores: np.ndarray, y: np.ndarray
) -> float:
    losses = []
    for item, label in enumerate(y):
        logits = sum(w * s[item] for w, s in zip(weights, scores, strict=True)) + offset
        losses.append(-np.log(softmax(logits)[label]))
    return float(np.mean(losses)) + 1e-3 * float(offset @ offset)


def made() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 200)
    good = np.eye(3)[y] + 0.8 * rng.standard_normal((200, 3))
    poor = 0.3 * np.eye(3)[y] + rng.standard_normal((200, 3))
    return np.stack([good, poor, -0.5 * np.eye(3)[y] + rng.standard_normal((200, 3))]), y


def test_pooling_is_the_optimum_of_the_likelihood() -> None:
    scores, y = made()
    pooling = fit_pooling(list(scores), y)
    assert pooling.loss == pytest.approx(
        likelihood(pooling.weights, pooling.offset, scores, y), abs=1e-9
    )
    rng = np.random.default_rng(1)
    for _ in range(40):
        moved = np.maximum(pooling.weights + 0.1 * rng.standard_normal(3), 0)
        shifted = pooling.offset + 0.1 * rng.standard_normal(3)
        assert likelihood(moved, shifted, scores, y) >= pooling.loss - 1e-6


def test_the_better_classifier_weighs_more_and_none_counts_against() -> None:
    scores, y = made()
    good, poor, reversed_ = fit_pooling(list(scores), y).weights
    assert good > poor > 0
    assert reversed_ == 0
