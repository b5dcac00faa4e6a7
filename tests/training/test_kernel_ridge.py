import numpy as np
import pytest
from scipy.special import softmax

from training.classification.class_map import Rotated
from training.classification.kernel_ridge import (
    LEAST_FREEDOM,
    fit_class_ridge,
    likelihood_loss,
)


def made(seed: int = 0, items: int = 40, dim: int = 6) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.arange(items) % 3
    return rng.standard_normal((items, dim)) + 0.8 * np.eye(3, dim)[labels], labels


def by_refitting(
    features: np.ndarray,
    labels: np.ndarray,
    left_out: np.ndarray,
    classes: int,
    ridge: float,
) -> np.ndarray:
    """Fit without some items, offset not penalised, and score those."""
    kept = ~left_out
    mean = features[kept].mean(axis=0)
    truth = np.eye(classes)[labels[kept]]
    centred = features[kept] - mean
    gram = centred.T @ centred + ridge * np.eye(features.shape[1])
    weight = np.linalg.solve(gram, centred.T @ (truth - truth.mean(axis=0)))
    return (features[left_out] - mean) @ weight + truth.mean(axis=0)


def mean_eigenvalue(features: np.ndarray) -> float:
    centred = features - features.mean(axis=0)
    return float(np.linalg.eigvalsh(centred.T @ centred).mean())


@pytest.mark.parametrize("per_group", [1, 2, 5])
@pytest.mark.parametrize("penalty", [0.01, 1.0])
def test_left_out_scores_are_those_of_refitting(per_group: int, penalty: float) -> None:
    features, labels = made()
    groups = np.arange(len(labels)) // per_group
    ridge = fit_class_ridge(Rotated.of(features), labels, groups, 3, penalties=[penalty])
    amount = penalty * mean_eigenvalue(features)
    for group in np.unique(groups):
        held = groups == group
        expected = by_refitting(features, labels, held, 3, amount)
        np.testing.assert_allclose(ridge.left_out[held], expected, atol=1e-8)


def test_scores_are_those_of_ridge_regression() -> None:
    features, labels = made()
    ridge = fit_class_ridge(Rotated.of(features), labels, np.arange(40), 3, penalties=[0.3])
    more = np.vstack([features, features[:1]])
    held = np.arange(41) == 40
    expected = by_refitting(
        more, np.append(labels, 0), held, 3, 0.3 * mean_eigenvalue(features)
    )
    np.testing.assert_allclose(ridge.scores(features[:1]), expected, atol=1e-10)


def test_the_penalty_that_predicts_best_is_chosen() -> None:
    features, labels = made(items=60, dim=30)
    groups = np.arange(60)
    chosen = fit_class_ridge(Rotated.of(features), labels, groups, 3)
    alone = [
        fit_class_ridge(Rotated.of(features), labels, groups, 3, penalties=[penalty])
        for penalty in (100.0, 1.0, 1e-2)
    ]
    assert chosen.loss <= min(one.loss for one in alone) + 1e-12
    assert len({one.loss for one in alone}) == 3


def test_items_determined_by_their_own_labels_choose_no_penalty() -> None:
    features, labels = made(items=20, dim=200)
    ridge = fit_class_ridge(
        Rotated.of(features), labels, np.arange(20), 3, penalties=[10.0, 1e-9]
    )
    assert ridge.penalty == 10.0
    assert np.linalg.norm(ridge.left_out - np.eye(3)[labels]) > LEAST_FREEDOM


def test_loss_is_that_of_the_best_softmax() -> None:
    features, labels = made()
    scores = fit_class_ridge(Rotated.of(features), labels, np.arange(40), 3).left_out

    def by_hand(sharpness: float) -> float:
        p = softmax(sharpness * scores, axis=1)
        return float(-np.mean(np.log(p[np.arange(40), labels])))

    fine = min(by_hand(sharpness) for sharpness in np.geomspace(1, 100, 400))
    assert fine - 1e-3 <= likelihood_loss(scores, labels) <= fine + 0.02
