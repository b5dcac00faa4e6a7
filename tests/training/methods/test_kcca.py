from collections.abc import Callable

import numpy as np
import pytest
import torch

from crossmodal.errors import DataError
from crossmodal.modality import Modality
from training.data import TrainingData
from training.protocol.selection import fit_method
from training.protocol.validation import embed, score
from training.towers.kernel_tower import KernelTower

A, T, V = Modality.AUDIO, Modality.TEXT, Modality.VISUAL

MakeData = Callable[..., TrainingData]
FIXED = {"k": "3", "ridge": "0.001", "gamma": "1"}


def exclusive_or(make_data: MakeData, seed: int) -> TrainingData:
    """Two classes that in audio are the product of two signs: no line tells them apart."""
    data = make_data(seed, per_class=100, classes=2)
    rng = np.random.default_rng(seed)
    sign, label = rng.choice([-2, 2], 200), 2 * data.labels[A] - 1
    data.features[A][:] = 0.5 * rng.standard_normal((200, 7))
    data.features[A][:, 0] += sign
    data.features[A][:, 1] += sign * label
    return data


@pytest.mark.parametrize("method", ["kcca", "c_kcca"])
def test_tower_computes_the_kernel_expansion(make_data: MakeData, method: str) -> None:
    data = make_data(0)
    fitted = fit_method(method, "tuned", FIXED, data, None)
    found = embed(fitted.towers, data)
    for modality, tower in fitted.towers.items():
        assert isinstance(tower, KernelTower)
        rows = tower.standardize.transform(data.features[modality])
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        landmarks = tower.landmarks.numpy()
        np.testing.assert_allclose(landmarks, rows, atol=1e-6)
        kernel = np.exp(
            -float(tower.gamma) * ((rows[:, None] - landmarks) ** 2).sum(axis=2)
        )
        np.testing.assert_allclose(tower.offset, kernel.mean(axis=0), atol=1e-5)
        expected = (kernel - kernel.mean(axis=0)) @ tower.weight.double().numpy()
        expected /= np.linalg.norm(expected, axis=1, keepdims=True)
        np.testing.assert_allclose(found[modality], expected, atol=1e-4)


@pytest.mark.parametrize("methods", [("kcca", "cca"), ("c_kcca", "c_cca")])
def test_kernels_find_what_lines_cannot(
    make_data: MakeData, methods: tuple[str, str]
) -> None:
    train, test = (exclusive_or(make_data, seed) for seed in (0, 1))
    bent, straight = (
        score(fit_method(name, "tuned", {"k": "1"} | settings, train, None).towers, test)
        for name, settings in zip(methods, ({"ridge": "0.01"}, {}), strict=True)
    )
    assert straight.mean < 0.65  # chance is near 0.5
    assert bent.mean > 0.9


def test_labels_help_kernels_too(make_data: MakeData) -> None:
    train, test = (make_data(seed, per_class=40, noise=3.0) for seed in (0, 1))
    kcca, c_kcca = (
        score(fit_method(name, "tuned", FIXED, train, None).towers, test).mean
        for name in ("kcca", "c_kcca")
    )
    assert c_kcca > kcca + 0.02


def test_landmarks_are_drawn_by_seed_above_the_limit(make_data: MakeData) -> None:
    few = FIXED | {"exact": "10", "landmarks": "12"}
    one, same, other = (
        fit_method("kcca", "tuned", few, make_data(0), None, seed=seed).towers[A]
        for seed in (0, 0, 1)
    )
    assert one.landmarks.shape == (12, 7)
    assert torch.equal(one.landmarks, same.landmarks)
    assert not torch.equal(one.landmarks, other.landmarks)


def test_true_pairs_alone_make_cluster_kcca_kernel_cca(make_data: MakeData) -> None:
    data = make_data(0)
    plain = fit_method("kcca", "tuned", FIXED, data, None)
    blended = fit_method("c_kcca", "tuned", FIXED | {"sigma": "1"}, data, None)
    for modality, rows in embed(plain.towers, data).items():
        np.testing.assert_allclose(embed(blended.towers, data)[modality], rows, atol=1e-4)


def test_fewer_items_than_components_are_refused(make_data: MakeData) -> None:
    with pytest.raises(DataError, match="10 components need 10 items or more, got 8"):
        fit_method("kcca", "paper", {}, make_data(0, per_class=2), None)


def test_equal_items_are_refused_by_modality(make_data: MakeData) -> None:
    data = make_data(0)
    data.features[V][:40] = 1
    with pytest.raises(DataError, match="visual: half of the items are equal or more"):
        fit_method("kcca", "tuned", FIXED | {"normalize": "false"}, data, None)


def test_three_modalities_are_refused(make_data: MakeData) -> None:
    data = make_data(0, dims={A: 5, T: 6, V: 7})
    with pytest.raises(DataError, match="exactly two modalities"):
        fit_method("kcca", "tuned", {}, data, None)


def test_rank_of_class_pairs_limits_the_components(make_data: MakeData) -> None:
    fitted = fit_method("c_kcca", "tuned", FIXED | {"k": "8"}, make_data(0), None)
    assert embed(fitted.towers, make_data(0))[A].shape[1] == 3
    assert fitted.notes == ["k=8: 3 components kept"]
    arbitrary = fit_method("c_kcca", "paper", {}, make_data(0), None)
    (note,) = arbitrary.notes
    assert "only 3 of 10 components correlate" in note
