import math

import numpy as np
import pytest

from training.classification.calibration import (
    fit_temperature,
    held_out_logits,
    negative_log_likelihood,
    stratified_folds,
)


def test_likelihood_of_an_undecided_classifier_is_the_log_of_the_classes() -> None:
    logits = np.zeros((1, 5, 4))
    labels = np.array([0, 1, 2, 3, 0])
    assert negative_log_likelihood(logits, labels, 1.0) == pytest.approx(math.log(4))


def test_likelihood_of_an_ensemble_is_that_of_the_mean_posterior() -> None:
    logits = np.array([[[2.0, 0.0]], [[0.0, 1.0]]])
    sure, unsure = 1 / (1 + math.exp(-2)), 1 / (1 + math.exp(1))
    expected = -math.log((sure + unsure) / 2)
    found = negative_log_likelihood(logits, np.array([0]), 1.0)
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("factor", [0.25, 1.0, 4.0])
def test_temperature_undoes_a_scaling_of_calibrated_logits(factor: float) -> None:
    rng = np.random.default_rng(0)
    logits = rng.standard_normal((20_000, 3))
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (shares.cumsum(axis=1) < rng.random((20_000, 1))).sum(axis=1)
    found = fit_temperature(factor * logits[None], labels)
    assert found == pytest.approx(factor, rel=0.05)


def test_folds_hold_every_row_out_once_and_classes_in_even_shares() -> None:
    labels = np.repeat([0, 1, 2], [10, 5, 2])
    folds = list(stratified_folds(labels, 5, np.random.default_rng(0)))
    assert (np.sum(folds, axis=0) == 1).all()
    for held_out in folds:
        assert np.bincount(labels[held_out], minlength=2)[:2].tolist() == [2, 1]


def test_held_out_rows_are_scored_by_classifiers_that_did_not_see_them() -> None:
    labels = np.repeat([0, 1], 10)
    order: list[np.ndarray] = []

    def fit(known: np.ndarray):  # noqa: ANN202
        def scores(rows: np.ndarray) -> np.ndarray:
            assert not (known & rows).any()
            order.append(np.flatnonzero(rows))
            return np.zeros((1, int(rows.sum()), 2))

        return scores

    logits, truth = held_out_logits(fit, labels, 5, np.random.default_rng(0))
    assert sorted(np.concatenate(order).tolist()) == list(range(20))
    assert logits.shape == (1, 20, 2)
    np.testing.assert_array_equal(truth, labels[np.concatenate(order)])


def test_a_class_of_one_row_is_not_held_out_for_scoring() -> None:
    labels = np.array([0, 0, 0, 1, 1, 1, 2])
    _, truth = held_out_logits(
        lambda known: lambda rows: np.zeros((1, int(rows.sum()), 3)),
        labels,
        3,
        np.random.default_rng(0),
    )
    assert sorted(truth.tolist()) == [0, 0, 0, 1, 1, 1]
