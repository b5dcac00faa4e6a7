import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import log_softmax

from training.classification.class_logistic import deal, fit_class_logistic
from training.classification.class_map import Rotated


def made(seed: int = 0, items: int = 60, dim: int = 5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.arange(items) % 3
    return rng.standard_normal((items, dim)) + 1.5 * np.eye(3, dim)[labels], labels


def optimum(features: np.ndarray, labels: np.ndarray, ridge: float) -> np.ndarray:
    """Log-posteriors of the penalised likelihood's optimum, by a general optimiser."""
    dim = features.shape[1]

    def parts(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return values[: dim * 3].reshape(dim, 3), values[dim * 3 :]

    def loss(values: np.ndarray) -> float:
        weight, offset = parts(values)
        found = log_softmax(features @ weight + offset, axis=1)
        chosen = found[np.arange(len(labels)), labels]
        return float(-chosen.sum() + ridge / 2 * (weight**2).sum())

    found = minimize(loss, np.zeros(dim * 3 + 3), options={"gtol": 1e-5}).x
    weight, offset = parts(found)
    log_posterior: np.ndarray = log_softmax(features @ weight + offset, axis=1)
    return log_posterior


def mean_eigenvalue(features: np.ndarray) -> float:
    centred = features - features.mean(axis=0)
    return float(np.linalg.eigvalsh(centred.T @ centred).mean())


@pytest.mark.parametrize("penalty", [0.003, 0.3])
def test_scores_are_those_of_the_likeliest_map(penalty: float) -> None:
    features, labels = made()
    found = fit_class_logistic(
        Rotated.of(features), labels, np.arange(60), 3, penalties=[penalty]
    )
    expected = optimum(features, labels, penalty * mean_eigenvalue(features))
    log_posterior = log_softmax(found.scores(features), axis=1)
    np.testing.assert_allclose(log_posterior, expected, atol=2e-3)


def of_unseen(
    features: np.ndarray, labels: np.ndarray, ridge: float, asked: np.ndarray
) -> np.ndarray:
    """Log-posteriors of items that the optimum did not see.

    Differences between classes are linear in the features: what the items seen got says
    what the others get.
    """
    log_posterior = optimum(features, labels, ridge)
    linear = np.linalg.lstsq(
        np.column_stack([features, np.ones(len(features))]),
        log_posterior - log_posterior[:, :1],
        rcond=None,
    )[0]
    found: np.ndarray = log_softmax(
        np.column_stack([asked, np.ones(len(asked))]) @ linear, axis=1
    )
    return found


def test_left_out_scores_are_those_of_fits_without_the_fold() -> None:
    features, labels = made()
    groups = np.repeat(np.arange(12), 5)
    found = fit_class_logistic(
        Rotated.of(features), labels, groups, 3, penalties=[1.0, 0.3, 0.1]
    )
    amount = found.penalty * mean_eigenvalue(features)
    folds = deal(groups, labels)
    for fold in range(5):
        held = folds == fold
        expected = of_unseen(features[~held], labels[~held], amount, features[held])
        ours = log_softmax(found.left_out[held], axis=1)
        np.testing.assert_allclose(ours, expected, atol=2e-2)


def test_the_penalty_that_predicts_best_is_chosen() -> None:
    features, labels = made(dim=40)
    groups = np.arange(60)
    chosen = fit_class_logistic(Rotated.of(features), labels, groups, 3)
    alone = [
        fit_class_logistic(Rotated.of(features), labels, groups, 3, penalties=[penalty])
        for penalty in (1.0, 0.1, 1e-3)
    ]
    assert len({one.loss for one in alone}) == 3
    assert chosen.loss <= min(one.loss for one in alone) + 0.01


def test_items_not_judged_train_all_the_same() -> None:
    features, labels = made(items=200)
    judged = np.arange(0, 200, 2)
    groups = np.arange(200)
    part = fit_class_logistic(
        Rotated.of(features), labels, groups, 3, judged=judged, penalties=[0.1]
    )
    amount = 0.1 * mean_eigenvalue(features[judged])
    expected = optimum(features, labels, amount)
    found = log_softmax(part.scores(features), axis=1)
    np.testing.assert_allclose(found, expected, atol=2e-3)
    assert part.left_out.shape == (100, 3)


def test_folds_keep_groups_whole_and_classes_even() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(120) % 4
    groups = rng.permutation(np.repeat(np.arange(40), 3))
    folds = deal(groups, labels)
    assert all(len(set(folds[groups == group])) == 1 for group in range(40))
    alone = deal(np.arange(120), labels)
    counts = np.array([np.bincount(labels[alone == f], minlength=4) for f in range(5)])
    assert (counts == 6).all()


def test_one_group_alone_cannot_be_left_out() -> None:
    features, labels = made()
    with pytest.raises(ValueError, match="one group alone"):
        fit_class_logistic(Rotated.of(features), labels, np.zeros(60, dtype=np.int64), 3)
    with pytest.raises(ValueError, match="no penalties"):
        fit_class_logistic(Rotated.of(features), labels, np.arange(60), 3, penalties=[])
