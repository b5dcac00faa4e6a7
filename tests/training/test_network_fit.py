from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from crossmodal.errors import ConfigError, DataError
from crossmodal.modality import Modality
from training.batches.epoch_batches import EpochBatches
from training.batches.sampling import BalancedBatches, Batch
from training.data import TrainingData
from training.fitting.network_fit import Features, Loss, NetworkFit, NetworkSettings
from training.methods.method import FitContext
from training.towers.networks import NetworkTower, mlp, modules_of

A, V = Modality.AUDIO, Modality.VISUAL

MakeData = Callable[..., TrainingData]


def fitting(
    data: TrainingData,
    validation: TrainingData | None,
    *,
    score_every: int = 1,
    inputs: Features | None = None,
) -> tuple[NetworkFit, Mapping[Modality, NetworkTower], list[dict[str, Any]]]:
    torch.manual_seed(0)
    towers = {
        m: NetworkTower(x.shape[1], mlp([x.shape[1], 4])) for m, x in data.features.items()
    }
    log: list[dict[str, Any]] = []
    context = FitContext(seed=0, device=torch.device("cpu"), log=log.append)
    fit = NetworkFit(
        towers, modules_of(towers), data, validation, context, score_every, inputs
    )
    return fit, towers, log


def run(fit: NetworkFit, settings: NetworkSettings, data: TrainingData, loss: Loss) -> None:
    batches = settings.batches(data, 0)
    fit.run(batches, loss, settings.optimization(len(batches)))


def test_stages_count_on_and_score_every_nth_epoch_and_each_last(
    make_data: MakeData,
) -> None:
    data = make_data()
    fit, towers, log = fitting(data, make_data(1), score_every=2)
    settings = NetworkSettings(least_steps=0, epochs=3, batch=24, sampler="shuffled")

    def loss(rows: Features, batch: Batch) -> dict[str, Tensor]:
        return {"loss": (towers[A].outputs(rows[A]) ** 2).mean()}

    for _ in range(2):
        run(fit, settings, data, loss)
    assert [record["epoch"] for record in log] == [1, 2, 3, 4, 5, 6]
    assert [record["epoch"] for record in log if "validation" in record] == [2, 3, 4, 6]
    scores = {r["epoch"]: r["validation"] for r in log if "validation" in r}
    training = fit.finish()
    assert training.best_score == max(scores.values())
    assert scores[training.best_epoch] == training.best_score
    assert training.last_score == scores[6]


def test_loss_takes_the_rows_of_its_batch(make_data: MakeData) -> None:
    data = make_data()
    seen = []

    def loss(rows: Features, batch: Batch) -> dict[str, Tensor]:
        for modality, part in rows.items():
            expected = data.features[modality][batch.rows[modality]]
            np.testing.assert_array_equal(part.numpy(), expected)
        seen.append(len(rows[A]))
        return {"loss": towers[V].outputs(rows[V]).square().mean()}

    fit, towers, _ = fitting(data, None)
    settings = NetworkSettings(least_steps=0, epochs=1, batch=16, sampler="shuffled")
    run(fit, settings, data, loss)
    assert seen == [16, 16, 16]
    assert fit.finish().best_epoch == 1


def test_rows_given_instead_of_features_are_what_losses_take(make_data: MakeData) -> None:
    data = make_data()
    numbers = {m: torch.arange(48.0)[:, None] for m in (A, V)}

    def loss(rows: Features, batch: Batch) -> dict[str, Tensor]:
        np.testing.assert_array_equal(rows[A][:, 0].numpy(), batch.rows[A])
        return {"loss": towers[A].network[0].weight.square().sum()}

    fit, towers, _ = fitting(data, None, inputs=numbers)
    settings = NetworkSettings(least_steps=0, epochs=1, sampler="stratified")
    run(fit, settings, data, loss)


def test_divergence_is_reported(make_data: MakeData) -> None:
    data = make_data()
    fit, towers, _ = fitting(data, None)
    settings = NetworkSettings(least_steps=0, epochs=1)

    def loss(rows: Features, batch: Batch) -> dict[str, Tensor]:
        return {"loss": towers[A].outputs(rows[A]).sum() * float("inf")}

    with pytest.raises(DataError, match="training diverged in epoch 1"):
        run(fit, settings, data, loss)


def test_sampler_is_the_one_asked_for(make_data: MakeData) -> None:
    data = make_data()
    assert isinstance(NetworkSettings().batches(data, 0), BalancedBatches)
    by_size = NetworkSettings(sampler="stratified", batch=16).batches(data, 0)
    assert isinstance(by_size, EpochBatches)
    assert len(by_size) == 3
    assert len(NetworkSettings(sampler="stratified").batches(data, 0, count=5)) == 5


def test_small_data_is_passed_over_more_often() -> None:
    settings = NetworkSettings(epochs=10, least_steps=100)
    assert settings.optimization(3).epochs == 34
    assert settings.optimization(10).epochs == 10
    assert settings.optimization(500).epochs == 10


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, "epochs must be in"),
        ({"optimizer": "lion"}, "optimizer must be one of"),
        ({"schedule": "steep"}, "schedule must be one of"),
        ({"sampler": "alphabetic"}, "sampler must be one of balanced, stratified"),
        ({"batch": 1}, "batch must be in"),
        ({"momentum": 1.0}, "momentum must be in"),
        ({"score_every": 0}, "score_every must be in"),
    ],
)
def test_settings_out_of_range_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        NetworkSettings(**change)
