from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from crossmodal.errors import ConfigError, DataError
from crossmodal.modality import Modality
from training.batches.pair_batches import PairBatches
from training.batches.prepared import Prepared, prepare
from training.correlation.linear_cca import pair_moments, solve
from training.correlation.pair_sets import PairSet, moments_of
from training.data import TrainingData
from training.losses.correlation import (
    OBJECTIVES,
    canonical_correlations,
    class_correlation_loss,
    correlation_loss,
)
from training.methods import deep
from training.methods.catalog import METHODS
from training.methods.deep_settings import ClassDeepSettings, DeepSettings
from training.methods.method import FitContext, Problem
from training.protocol.selection import fit_method
from training.protocol.validation import embed, score
from training.towers.correlated_tower import CorrelatedTower, outputs_of

A, T, V = Modality.AUDIO, Modality.TEXT, Modality.VISUAL

MakeData = Callable[..., TrainingData]
SMALL = {
    "k": "3",
    "left_layers": "24-5",
    "right_layers": "24-5",
    "epochs": "15",
    "score_every": "5",
}
FAMILY = ("dcca", "c_dcca", "s_dcca")


def exclusive_or(make_data: MakeData, seed: int) -> TrainingData:
    """Two classes that in audio are the product of two signs: no line tells them apart."""
    data = make_data(seed, per_class=100, classes=2)
    rng = np.random.default_rng(seed)
    sign, label = rng.choice([-2, 2], 200), 2 * data.labels[A] - 1
    data.features[A][:] = 0.5 * rng.standard_normal((200, 7))
    data.features[A][:, 0] += sign
    data.features[A][:, 1] += sign * label
    return data


def prepared(
    make_data: MakeData, settings: DeepSettings
) -> tuple[dict[Modality, CorrelatedTower], Prepared]:
    data = make_data(0)
    torch.manual_seed(0)
    towers = deep.build(settings, Problem.of(data))
    context = FitContext(seed=0, device=torch.device("cpu"))
    return towers, prepare(towers, data, context, divide=True)


@pytest.mark.parametrize("method", FAMILY)
@pytest.mark.parametrize("preset", ["paper", "tuned"])
def test_every_parameter_receives_gradient(
    make_data: MakeData, method: str, preset: str
) -> None:
    settings = METHODS[method].presets[preset]
    towers, ready = prepared(make_data, settings)
    (batch,) = PairBatches(ready.data, 48, np.random.default_rng(0))
    pair_set = PairSet(sigma=0.2)
    covariances = deep.covariances_of(towers, ready, batch, pair_set, np.ones(48, bool))
    correlations = canonical_correlations(covariances, settings.ridge)
    torch.autograd.backward(OBJECTIVES[settings.objective](correlations, 3))
    for tower in towers.values():
        for name, parameter in tower.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.abs().max() > 1e-9, name


@pytest.mark.parametrize("sigma", [0.0, 0.2, 1.0])
def test_loss_of_a_batch_is_that_of_its_outputs(make_data: MakeData, sigma: float) -> None:
    towers, ready = prepared(make_data, DeepSettings(dropout=0.0))
    batch = next(iter(PairBatches(ready.data, 24, np.random.default_rng(0))))
    covariances = deep.covariances_of(
        towers, ready, batch, PairSet(sigma=sigma), np.ones(48, bool)
    )
    found = -canonical_correlations(covariances, 1e-3)[:4].mean()
    outputs = [towers[m].outputs(ready.rows(m, batch)) for m in (A, V)]
    labels = [torch.from_numpy(batch.labels[m]) for m in (A, V)]
    expected = class_correlation_loss(
        *outputs, *labels, sigma=sigma, ridge=1e-3, components=4
    )
    assert found.item() == pytest.approx(expected.item(), abs=1e-12)
    if sigma == 1:
        plain = correlation_loss(*outputs, ridge=1e-3, components=4)
        assert found.item() == pytest.approx(plain.item(), abs=1e-12)


def test_fraction_and_marginals_reach_the_batch(make_data: MakeData) -> None:
    towers, ready = prepared(make_data, DeepSettings(dropout=0.0, batch_norm=False))
    (batch,) = PairBatches(ready.data, 48, np.random.default_rng(0), shuffle=False)
    pair_set = PairSet(sigma=0.2, fraction=0.5, marginals="plain", seed=1)
    partners = pair_set.partners(ready.data.labels[V])
    found = deep.covariances_of(towers, ready, batch, pair_set, partners)
    outputs = outputs_of(towers, ready.features)
    expected = moments_of(outputs, ready.data, pair_set)
    for name in ("left", "right", "cross"):
        np.testing.assert_allclose(
            getattr(found, name).detach(), getattr(expected, name), atol=1e-6
        )


def test_batch_without_class_pairs_counts_its_true_pairs(make_data: MakeData) -> None:
    towers, ready = prepared(make_data, DeepSettings(dropout=0.0))
    (batch,) = PairBatches(ready.data, 48, np.random.default_rng(0))
    none = np.zeros(48, dtype=bool)
    found = deep.covariances_of(towers, ready, batch, PairSet(sigma=0.2), none)
    alone = deep.covariances_of(towers, ready, batch, PairSet(sigma=1.0), none)
    assert torch.equal(found.cross, alone.cross)


def test_embedding_is_cca_of_the_networks_outputs(make_data: MakeData) -> None:
    data = make_data(0)
    fitted = fit_method("dcca", "tuned", SMALL, data, None)
    outputs = outputs_of(
        fitted.towers, {m: torch.from_numpy(x) for m, x in data.features.items()}
    )
    assert isinstance(fitted.settings, DeepSettings)
    ridge = fitted.settings.ridge
    solution = solve(pair_moments(outputs[A], outputs[V]), ridge)
    for modality, directions in ((A, solution.left), (V, solution.right)):
        rows = outputs[modality] - outputs[modality].mean(axis=0)
        rows = rows @ directions[:, :3]
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        np.testing.assert_allclose(embed(fitted.towers, data)[modality], rows, atol=1e-3)


def test_networks_find_what_lines_cannot(make_data: MakeData) -> None:
    train, test = (exclusive_or(make_data, seed) for seed in (0, 1))
    settings = SMALL | {"k": "1", "epochs": "150", "rate": "0.01", "score_every": "50"}
    deep_cca = score(fit_method("dcca", "tuned", settings, train, None).towers, test)
    linear = score(fit_method("cca", "tuned", {"k": "1"}, train, None).towers, test)
    assert linear.mean < 0.65  # chance is near 0.5
    assert deep_cca.mean > 0.85


def test_class_pairs_help_where_pairs_say_little(make_data: MakeData) -> None:
    train, test = (make_data(seed, per_class=40, noise=3.0) for seed in (0, 1))
    found = {
        name: score(fit_method(name, "tuned", SMALL, train, None).towers, test).mean
        for name in ("dcca", "c_dcca")
    }
    assert found["c_dcca"] > found["dcca"] + 0.02


def test_true_pairs_alone_are_deep_cca(make_data: MakeData) -> None:
    data = make_data(0)
    expected = embed(fit_method("dcca", "tuned", SMALL, data, None).towers, data)
    for settings in ({"sigma": "1"}, {"fraction": "0"}):
        fitted = fit_method("c_dcca", "tuned", SMALL | settings, data, None)
        for modality, rows in embed(fitted.towers, data).items():
            np.testing.assert_array_equal(rows, expected[modality])


def test_extension_changes_what_is_learned(make_data: MakeData) -> None:
    data = make_data(0)
    half, whole = (
        embed(
            fit_method("s_dcca", "tuned", SMALL | {"fraction": share}, data, None).towers,
            data,
        )
        for share in ("0.5", "1")
    )
    assert np.abs(half[A] - whole[A]).max() > 1e-3


def test_epochs_are_logged_and_scored_as_often_as_asked(make_data: MakeData) -> None:
    fitted = fit_method("c_dcca", "tuned", SMALL, make_data(0), make_data(1))
    epochs = [record for record in fitted.history if "epoch" in record]
    assert [record["epoch"] for record in epochs] == list(range(1, 16))
    scored = [record["epoch"] for record in epochs if "validation" in record]
    assert scored == [5, 10, 15]
    assert fitted.training is not None
    assert fitted.training.best_score == max(
        record["validation"] for record in epochs if "validation" in record
    )


def test_as_coded_trains_in_file_order_on_the_norm_with_plain_marginals() -> None:
    for name in ("as_coded", "as_coded_alt"):
        coded = METHODS["c_dcca"].presets[name]
        assert isinstance(coded, ClassDeepSettings)
        assert not coded.shuffle
        assert coded.objective == "norm"
        assert coded.marginals == "plain"
        assert coded.weight_decay == 2e-5
    for method in FAMILY:
        for name, preset in METHODS[method].presets.items():
            if not name.startswith("as_coded"):
                assert isinstance(preset, DeepSettings)
                assert preset.shuffle
                assert preset.objective == "sum"


@pytest.mark.parametrize(("method", "preset"), [("dcca", "as_coded"), ("s_dcca", "paper")])
def test_published_presets_train(make_data: MakeData, method: str, preset: str) -> None:
    data = make_data(0, dims={A: 40, V: 50})
    fitted = fit_method(method, preset, {"epochs": "3"}, data, None)
    assert all(np.isfinite(record["loss"]) for record in fitted.history)
    for tower in fitted.towers.values():
        assert isinstance(tower, CorrelatedTower)


def test_marginals_decide_where_classes_are_unbalanced(make_data: MakeData) -> None:
    data = make_data(0)
    for labels in data.labels.values():
        labels[:30] = 0
    plain, matched = (
        embed(
            fit_method("c_dcca", "tuned", SMALL | {"marginals": name}, data, None).towers,
            data,
        )
        for name in ("plain", "matched")
    )
    assert np.abs(plain[A] - matched[A]).max() > 1e-3


@pytest.mark.parametrize("layers", ["", "100-", "100-0-10", "a", "10 10"])
def test_widths_that_are_none_are_refused(layers: str) -> None:
    with pytest.raises(ConfigError, match="left_layers must be positive widths joined"):
        replace(DeepSettings(), left_layers=layers)


def test_no_shared_class_is_refused(make_data: MakeData) -> None:
    data = make_data(0)
    data.labels[V][:] = -1
    with pytest.raises(DataError, match="class present in both audio and visual"):
        fit_method("c_dcca", "tuned", SMALL, data, None)


def test_three_modalities_are_refused(make_data: MakeData) -> None:
    data = make_data(0, dims={A: 5, T: 6, V: 7})
    with pytest.raises(DataError, match="exactly two modalities"):
        fit_method("dcca", "tuned", SMALL, data, None)
