from collections.abc import Callable

import numpy as np
import pytest
import torch

from crossmodal.errors import DataError
from crossmodal.modality import Modality
from training.data import TrainingData
from training.methods.posterior_product import PosteriorProduct, PosteriorTower
from training.protocol.selection import fit_method
from training.protocol.validation import embed

A, T, V = Modality.AUDIO, Modality.TEXT, Modality.VISUAL

MakeData = Callable[..., TrainingData]
LOGISTIC = {"classifier": "logistic", "c": "0.1"}


def posteriors(tower: torch.nn.Module, rows: np.ndarray) -> np.ndarray:
    assert isinstance(tower, PosteriorTower)
    with torch.inference_mode():
        logits = tower.classifier(tower.standardize(torch.from_numpy(rows)))
        shares: np.ndarray = torch.softmax(logits / tower.temperature, 2).mean(0).numpy()
    return shares


def test_scores_are_the_probability_of_sharing_a_class(make_data: MakeData) -> None:
    data = make_data(0)
    fitted = fit_method("posterior_product", "tuned", LOGISTIC, data, make_data(1))
    embedded = embed(fitted.towers, data)
    p, q = (posteriors(fitted.towers[m], data.features[m]) for m in (A, V))
    np.testing.assert_allclose(embedded[A] @ embedded[V].T, p @ q.T, atol=1e-6)


def test_masked_query_scores_by_posteriors_in_its_own_modality(
    make_data: MakeData,
) -> None:
    data = make_data(0)
    fitted = fit_method("posterior_product", "tuned", LOGISTIC, data, make_data(1))
    rows = embed(fitted.towers, data)[A]
    query = rows.copy()
    query[:, list(fitted.same_modality_mask)] = 0
    p = posteriors(fitted.towers[A], data.features[A])
    np.testing.assert_allclose(query @ rows.T, p @ p.T, atol=1e-6)


def test_each_of_three_modalities_has_a_lift_of_its_own(make_data: MakeData) -> None:
    data = make_data(0, dims={A: 5, T: 6, V: 7})
    fitted = fit_method("posterior_product", "tuned", LOGISTIC, data, None)
    assert fitted.same_modality_mask == (4, 5, 6)
    embedded = embed(fitted.towers, data)
    shares = {m: posteriors(fitted.towers[m], data.features[m]) for m in (A, T, V)}
    for one, other in ((A, T), (A, V), (T, V)):
        np.testing.assert_allclose(
            embedded[one] @ embedded[other].T, shares[one] @ shares[other].T, atol=1e-6
        )


def test_temperature_cools_what_is_too_unsure_and_warms_what_is_too_sure(
    make_data: MakeData,
) -> None:
    easy = make_data(0, noise=0.1), make_data(1, noise=0.1)
    hard = make_data(0, noise=8.0), make_data(1, noise=8.0)
    unsure = fit_method("posterior_product", "tuned", LOGISTIC | {"c": "1e-4"}, *easy)
    sure = fit_method("posterior_product", "tuned", LOGISTIC | {"c": "1e3"}, *hard)
    for modality in (A, V):
        assert unsure.towers[modality].temperature < 0.5
        assert sure.towers[modality].temperature > 2


def test_class_that_validation_holds_and_training_lacks_does_no_harm(
    make_data: MakeData,
) -> None:
    train, validation = make_data(0), make_data(1)
    for labels in train.labels.values():
        labels[labels == 3] = 2
    method = PosteriorProduct()
    fitted = fit_method("posterior_product", "paper", LOGISTIC, train, validation)
    assert method.refits(fitted.settings)
    networks = {"classifier": "mlp", "epochs": "5", "hidden": "8", "batch": "8"}
    kept = fit_method("posterior_product", "paper", networks, train, validation)
    assert kept.fit_split == "train"
    for towers in (fitted.towers, kept.towers):
        for tower in towers.values():
            assert 0.05 <= tower.temperature.item() < 10


def test_one_class_alone_is_refused(make_data: MakeData) -> None:
    data = make_data(0, classes=1)
    with pytest.raises(DataError, match="needs two labeled classes or more"):
        fit_method("posterior_product", "tuned", LOGISTIC, data, None)
