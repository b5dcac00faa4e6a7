from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from crossmodal.errors import ConfigError, DataError
from crossmodal.modality import Modality
from training.batches.sampling import Batch
from training.data import TrainingData
from training.losses.triplet import triplet_loss
from training.methods.catalog import METHODS
from training.methods.method import Problem
from training.methods.tnn import Tnn, TnnSettings
from training.methods.tnn_c_cca import TnnCCca, TnnCCcaTower
from training.methods.triplet_networks import (
    BOTH,
    across_modalities,
    directions_of,
)
from training.protocol.selection import fit_method
from training.protocol.validation import embed, score
from training.towers.networks import modules_of

A, T, V = Modality.AUDIO, Modality.TEXT, Modality.VISUAL
FAST = {
    "least_steps": "0",
    "epochs": "25",
    "hidden": "24",
    "dim": "6",
    "items_per_class": "4",
}

MakeData = Callable[..., TrainingData]


def whole(data: TrainingData) -> Batch:
    rows = {m: np.arange(len(labels)) for m, labels in data.labels.items()}
    return Batch(rows=rows, labels=data.labels, pairs=rows)


@pytest.mark.parametrize("method", ["tnn", "tnn_c_cca"])
@pytest.mark.parametrize("strategy", ["batch_all", "semi_hard", "hard", "random"])
def test_every_strategy_learns_classes(
    make_data: MakeData, method: str, strategy: str
) -> None:
    overrides = FAST | {"strategy": strategy}
    fitted = fit_method(method, "tuned", overrides, make_data(0), None)
    assert min(score(fitted.towers, make_data(2)).directions.values()) > 0.75


@pytest.mark.parametrize("distance", ["euclidean", "squared_euclidean"])
def test_other_distances_learn_too(make_data: MakeData, distance: str) -> None:
    overrides = FAST | {"distance": distance, "margin": "2"}
    fitted = fit_method("tnn_c_cca", "tuned", overrides, make_data(0), None)
    assert min(score(fitted.towers, make_data(2)).directions.values()) > 0.75


def alternating(make_data: MakeData, seed: int) -> TrainingData:
    """Four clusters on a line, of two classes in turn."""
    data = make_data(seed, per_class=24, classes=4)
    rng = np.random.default_rng(seed)
    place = 2.0 * data.labels[A] - 3
    rows = {
        m: place[:, None] + 0.5 * rng.standard_normal(x.shape)
        for m, x in data.features.items()
    }
    return replace(
        data,
        features={m: x.astype(np.float32) for m, x in rows.items()},
        labels={m: numbers % 2 for m, numbers in data.labels.items()},
    )


def test_networks_on_cluster_cca_separate_what_no_line_does(make_data: MakeData) -> None:
    train, test = (alternating(make_data, seed) for seed in (0, 1))
    linear = fit_method("c_cca", "tuned", {"ridge": "0.1", "k": "1"}, train, None)
    overrides = FAST | {"k": "1", "epochs": "100", "rate": "0.01", "dropout": "0"}
    overrides["items_per_class"] = "48"
    fitted = fit_method("tnn_c_cca", "tuned", overrides, train, None)
    assert score(linear.towers, test).mean < 0.75
    assert score(fitted.towers, test).mean > 0.85


@pytest.mark.parametrize("method", ["tnn", "tnn_c_cca"])
@pytest.mark.parametrize("preset", ["paper", "as_coded", "tuned"])
def test_every_parameter_receives_gradient(
    make_data: MakeData, method: str, preset: str
) -> None:
    if preset not in METHODS[method].presets:
        return
    data = make_data()
    settings = METHODS[method].presets[preset]
    torch.manual_seed(0)
    towers = METHODS[method].build(settings, Problem.of(data))
    outputs = {}
    for modality, rows in data.features.items():
        tower = towers[modality].train()
        inputs = torch.from_numpy(rows)
        if isinstance(tower, TnnCCcaTower):
            inputs = torch.randn(len(rows), tower.projection.weight.shape[1])
        outputs[modality] = tower.outputs(inputs)
    anchor = BOTH if settings.anchor == "each" else settings.anchor
    loss = across_modalities(
        outputs, whole(data), directions_of(anchor, data.modalities), settings
    )
    loss.backward()
    for name, parameter in modules_of(towers).named_parameters():
        assert parameter.grad is not None, name
        if "bias" not in name:  # biases ahead of batch norm cancel
            assert parameter.grad.abs().sum() > 0, name


def test_loss_is_the_sum_over_directions(make_data: MakeData) -> None:
    data = make_data()
    settings = TnnSettings(margin=0.7)
    generator = torch.Generator().manual_seed(0)
    outputs = {m: torch.randn(48, 5, generator=generator) for m in (A, V)}
    same = torch.from_numpy(data.labels[A][:, None] == data.labels[V])
    one = triplet_loss(outputs[A], outputs[V], same, margin=0.7)
    other = triplet_loss(outputs[V], outputs[A], same.T, margin=0.7)
    for anchor, expected in ((BOTH, one + other), ("audio", one), ("visual", other)):
        directions = directions_of(anchor, data.modalities)
        found = across_modalities(outputs, whole(data), directions, settings)
        assert torch.isclose(found, expected)


def test_cluster_cca_is_a_constant_of_the_tower(make_data: MakeData) -> None:
    data = make_data()
    overrides = FAST | {"epochs": "3", "k": "3", "ridge": "0.2"}
    fitted = fit_method("tnn_c_cca", "tuned", overrides, data, None)
    linear = fit_method("c_cca", "tuned", {"k": "3", "ridge": "0.2"}, data, None)
    projections = {m: fitted.towers[m].projection for m in (A, V)}
    for modality, rows in embed(linear.towers, data).items():
        np.testing.assert_allclose(embed(projections, data)[modality], rows, atol=1e-6)


def test_paper_asks_for_one_model_per_direction(make_data: MakeData) -> None:
    data = make_data()
    for method in ("tnn", "tnn_c_cca"):
        with pytest.raises(ConfigError, match="choose one with --set anchor=NAME"):
            fit_method(method, "paper", {}, data, None)
        fit_method(method, "paper", {"anchor": "visual", "epochs": "1"}, data, None)
        with pytest.raises(ConfigError, match="anchor must be one of both, audio, visual"):
            fit_method(method, "tuned", {"anchor": "text"}, data, None)


@pytest.mark.parametrize("method", [Tnn(), TnnCCca()])
def test_each_direction_has_its_querys_anchor(method: Any) -> None:
    problem = Problem({A: 7, V: 10}, 4)
    settings = method.presets["paper"]
    assert method.per_direction(settings, problem) == {
        "audio2visual": replace(settings, anchor="audio"),
        "visual2audio": replace(settings, anchor="visual"),
    }
    assert method.per_direction(method.presets["tuned"], problem) is None


def test_as_coded_learns_nothing_from_a_file_sorted_by_class(make_data: MakeData) -> None:
    """Batches in file order are of one class, so no triplet is ever formed."""
    data = make_data(per_class=16, classes=4)
    one_class = {"batch_count": "4"}
    fitted = fit_method("tnn_c_cca", "as_coded", one_class, data, None)
    assert {record["loss"] for record in fitted.history} == {0.0}
    shuffled = fit_method(
        "tnn_c_cca", "as_coded", one_class | {"sampler": "stratified"}, data, None
    )
    assert all(record["loss"] > 0 for record in shuffled.history)


def test_fewer_batches_than_asked_for_are_noted(make_data: MakeData) -> None:
    overrides = {"anchor": "audio", "epochs": "1"}
    fitted = fit_method("tnn_c_cca", "paper", overrides, make_data(), None)
    assert any("batch_count=400: 6 batches" in note for note in fitted.notes)


def test_triplets_take_three_modalities_and_one_class_is_refused(
    make_data: MakeData,
) -> None:
    three = make_data(0, dims={A: 5, T: 6, V: 7})
    fitted = fit_method("tnn", "tuned", FAST, three, None)
    assert min(score(fitted.towers, three).directions.values()) > 0.7
    with pytest.raises(DataError, match="triplet network needs two classes or more"):
        fit_method("tnn", "tuned", FAST, make_data(classes=1), None)
