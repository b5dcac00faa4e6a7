from collections.abc import Callable

import numpy as np
import pytest

from crossmodal.errors import DataError
from crossmodal.modality import Modality
from training.correlation.linear_cca import pair_moments, solve
from training.data import TrainingData
from training.protocol.selection import fit_method
from training.protocol.validation import embed

A, T, V = Modality.AUDIO, Modality.TEXT, Modality.VISUAL

MakeData = Callable[..., TrainingData]


@pytest.mark.parametrize("scale", ["none", "rho"])
def test_embedding_is_the_textbook_projection(make_data: MakeData, scale: str) -> None:
    data = make_data(0)
    fitted = fit_method(
        "cca", "tuned", {"k": "3", "ridge": "0.1", "scale": scale}, data, None
    )
    z = {
        m: (rows.astype(np.float64) - rows.mean(axis=0, dtype=np.float64))
        / rows.std(axis=0, dtype=np.float64)
        for m, rows in data.features.items()
    }
    solution = solve(pair_moments(z[A], z[V]), 0.1)
    factor = solution.correlations[:3] if scale == "rho" else 1
    for modality, directions in ((A, solution.left), (V, solution.right)):
        rows = z[modality] @ directions[:, :3] * factor
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        np.testing.assert_allclose(embed(fitted.towers, data)[modality], rows, atol=1e-4)


@pytest.mark.parametrize(("method", "kept"), [("cca", 7), ("c_cca", 3)])
def test_more_components_than_there_are_is_noted(
    make_data: MakeData, method: str, kept: int
) -> None:
    fitted = fit_method(method, "tuned", {"k": "50", "ridge": "0.1"}, make_data(0), None)
    assert embed(fitted.towers, make_data(0))[A].shape[1] == kept
    (note,) = fitted.notes
    assert "k=50" in note
    assert str(kept) in note


def test_pairs_are_drawn_from_classes_where_there_are_none(make_data: MakeData) -> None:
    fitted = fit_method("cca", "tuned", {"k": "3"}, make_data(0, unequal=True), None)
    assert fitted.pairs == "drawn"
    assert "no pairs in the data: same-class pairs drawn" in fitted.notes


def test_a_full_share_of_true_pairs_makes_cluster_cca_plain_cca(
    make_data: MakeData,
) -> None:
    data = make_data(0)
    plain = fit_method("cca", "tuned", {"k": "5", "ridge": "0.1"}, data, None)
    blended = {"k": "5", "ridge": "0.1", "sigma": "1"}
    cluster = fit_method("c_cca", "tuned", blended, data, None)
    for modality, rows in embed(plain.towers, data).items():
        np.testing.assert_allclose(embed(cluster.towers, data)[modality], rows, atol=1e-5)


@pytest.mark.parametrize("method", ["cca", "c_cca"])
def test_three_modalities_are_refused(make_data: MakeData, method: str) -> None:
    data = make_data(0, dims={A: 5, T: 6, V: 7})
    with pytest.raises(DataError, match="exactly two modalities, got audio, text, visual"):
        fit_method(method, "tuned", {}, data, None)
