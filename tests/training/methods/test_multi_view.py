from collections.abc import Callable

import numpy as np
import pytest

from crossmodal.errors import DataError
from crossmodal.modality import Modality
from training.correlation.linear_cca import pair_moments, solve
from training.correlation.maxvar import covariances_of, solve_maxvar
from training.data import TrainingData
from training.protocol.selection import fit_method
from training.protocol.validation import embed, score

A, T, V = Modality.AUDIO, Modality.TEXT, Modality.VISUAL

MakeData = Callable[..., TrainingData]


def wide(data: TrainingData) -> dict[Modality, np.ndarray]:
    return {m: rows.astype(np.float64) for m, rows in data.features.items()}


def test_projections_minimise_the_objective_as_written(make_data: MakeData) -> None:
    """G from the N x N matrix, then ridge regression of every modality on it."""
    rows = wide(make_data(0, dims={A: 5, T: 6, V: 7}))
    found = solve_maxvar(covariances_of(rows), 0.2, 4)
    whole, centred, penalties = np.zeros((48, 48)), {}, {}
    for modality, x in rows.items():
        x = x - x.mean(axis=0)
        penalty = 0.2 * np.trace(x.T @ x) / x.shape[1] * np.eye(x.shape[1])
        whole += x @ np.linalg.solve(x.T @ x + penalty, x.T)
        centred[modality], penalties[modality] = x, penalty
    values, vectors = np.linalg.eigh(whole)
    np.testing.assert_allclose(found.agreements, values[::-1][:4], atol=1e-9)
    target = vectors[:, ::-1][:, :4]
    for modality, x in centred.items():
        expected = np.linalg.solve(x.T @ x + penalties[modality], x.T @ target)
        expected *= np.sqrt(48)  # of a target of unit variance
        signs = np.sign((expected * found.weights[modality]).sum(axis=0))
        np.testing.assert_allclose(found.weights[modality], expected * signs, atol=1e-9)


def test_two_modalities_are_cca_up_to_a_factor_per_component(make_data: MakeData) -> None:
    rows = wide(make_data(0))
    found = solve_maxvar(covariances_of(rows), 1e-9, 4)
    cca = solve(pair_moments(rows[A], rows[V]), 1e-9)
    np.testing.assert_allclose(found.agreements, 1 + cca.correlations[:4], atol=1e-6)
    for modality, directions in ((A, cca.left), (V, cca.right)):
        ratio = found.weights[modality] / directions[:, :4]
        np.testing.assert_allclose(ratio, np.broadcast_to(ratio[0], ratio.shape), rtol=1e-3)


def test_pls_has_the_directions_of_largest_covariance(make_data: MakeData) -> None:
    data = make_data(0)
    fitted = fit_method("multi_view", "tuned", {"solver": "pls", "k": "2"}, data, None)
    z = {m: (x - x.mean(axis=0)) / x.std(axis=0) for m, x in wide(data).items()}
    ours, _, theirs = np.linalg.svd(z[A].T @ z[V])
    for modality, directions in ((A, ours), (V, theirs.T)):
        rows = z[modality] @ directions[:, :2]
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        np.testing.assert_allclose(
            np.abs(embed(fitted.towers, data)[modality]), np.abs(rows), atol=1e-4
        )


def test_three_modalities_meet_in_one_space(make_data: MakeData) -> None:
    dims = {A: 5, T: 6, V: 7}
    train, test = make_data(0, dims=dims), make_data(1, dims=dims)
    fitted = fit_method("multi_view", "tuned", {"k": "3"}, train, make_data(2, dims=dims))
    assert min(score(fitted.towers, test).directions.values()) > 0.6


def test_pls_of_three_modalities_is_refused(make_data: MakeData) -> None:
    data = make_data(0, dims={A: 5, T: 6, V: 7})
    with pytest.raises(DataError, match="exactly two modalities"):
        fit_method("multi_view", "tuned", {"solver": "pls"}, data, None)


def test_one_modality_is_refused(make_data: MakeData) -> None:
    data = make_data(0, dims={A: 5})
    with pytest.raises(DataError, match="two modalities or more"):
        fit_method("multi_view", "tuned", {}, data, None)


def test_notes_say_what_was_not_as_asked(make_data: MakeData) -> None:
    fitted = fit_method("multi_view", "paper", {}, make_data(0, unequal=True), None)
    assert fitted.pairs == "drawn"
    assert fitted.notes == [
        "k=30 is more than the features have: 7 kept",
        "no pairs in the data: same-class pairs drawn",
    ]
