"""Earshot: what its inner product is, and what its parts add."""

from collections.abc import Callable
from dataclasses import replace
from typing import cast

import numpy as np
import torch

from crossmodal.modality import Modality
from training.data import TrainingData
from training.protocol.selection import fit_method
from training.protocol.validation import embed, score
from training.towers.earshot_tower import EarshotTower

A, V = Modality.AUDIO, Modality.VISUAL

MakeData = Callable[..., TrainingData]


def reciprocal_rank(data: TrainingData, train: TrainingData) -> float:
    towers = fit_method("earshot", "tuned", {"share": "1"}, train, None).towers
    rows = embed(towers, data)
    products = rows[A] @ rows[V].T
    ranks = (products > np.diag(products)[:, None]).sum(axis=1) + 1
    return float((1 / ranks).mean())


def test_inner_product_is_posterior_agreement_and_pair_cosine(make_data: MakeData) -> None:
    data = make_data(0)
    fitted = fit_method("earshot", "tuned", {"share": "0.3"}, data, None)
    rows = embed(fitted.towers, data)
    parts = {}
    for modality, tower in fitted.towers.items():
        features = torch.from_numpy(data.features[modality])
        earshot = cast(EarshotTower, tower)
        with torch.inference_mode():
            posterior = earshot.posterior(features).double().numpy()
            standardized = earshot.plain.standardize(features)
            pair = (standardized - earshot.pair_offset) @ earshot.pair_weight
        np.testing.assert_allclose(posterior.sum(axis=1), 1, atol=1e-6)
        coordinates = pair.double().numpy()
        unit = coordinates / np.linalg.norm(coordinates, axis=1, keepdims=True)
        parts[modality] = posterior, unit
    expected = 0.7 * parts[A][0] @ parts[V][0].T + 0.3 * parts[A][1] @ parts[V][1].T
    np.testing.assert_allclose(rows[A] @ rows[V].T, expected, atol=1e-5)


def test_classes_are_found_far_above_chance(make_data: MakeData) -> None:
    fitted = fit_method("earshot", "tuned", {}, make_data(0), make_data(1, per_class=6))
    chance = fit_method("random", "tuned", {}, make_data(0), None)
    test = make_data(2)
    assert score(fitted.towers, test).mean > 0.8 > 2 * score(chance.towers, test).mean


def test_pair_coordinates_learn_from_which_items_belong_together(
    make_data: MakeData,
) -> None:
    train, test = make_data(0, per_class=30), make_data(2)
    assert train.pairs is not None
    others = np.arange(120).reshape(4, 30)[:, ::-1].ravel()  # within each class
    wrong = replace(train, pairs={A: train.pairs[A], V: train.pairs[V][others]})
    assert reciprocal_rank(test, train) > 2 * reciprocal_rank(test, wrong)


def test_without_pairs_the_posteriors_rank_alone(make_data: MakeData) -> None:
    train, test = make_data(0, paired=False), make_data(2)
    fitted = fit_method("earshot", "tuned", {}, train, None)
    assert any("pair coordinates are zero" in note for note in fitted.notes)
    whole = fit_method("earshot", "tuned", {"share": "0"}, train, None)
    rows, expected = embed(fitted.towers, test), embed(whole.towers, test)
    np.testing.assert_allclose(
        rows[A] @ rows[V].T, 0.98 * expected[A] @ expected[V].T, atol=1e-5
    )
