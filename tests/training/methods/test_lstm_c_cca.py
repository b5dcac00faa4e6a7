"""LSTM cluster CCA: what it learns from, and its way from a features file to a hit."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from crossmodal.embed import embed_features
from crossmodal.errors import ConfigError, DataError
from crossmodal.features import FeaturesFile, ModalityFeatures, table, write_features
from crossmodal.modality import Modality
from index.build import build
from index.collection import Collection
from training.batches.pair_batches import PairBatches
from training.batches.prepared import prepare
from training.commands.export import export_run
from training.correlation.pair_sets import PairSet
from training.data import TrainingData
from training.methods import deep
from training.methods.catalog import METHODS
from training.methods.lstm_c_cca import LstmSettings
from training.methods.method import FitContext, Problem, as_taken
from training.protocol.evaluate import evaluate_run
from training.protocol.selection import fit_method
from training.protocol.validation import score
from training.run import FitRequest, Run, fit

A, T, V = Modality.AUDIO, Modality.TEXT, Modality.VISUAL
METHOD = METHODS["lstm_c_cca"]
SMALL = {
    "k": "2",
    "left_layers": "16-8-6",
    "right_layers": "16-8-6",
    "epochs": "20",
    "score_every": "10",
    "rate": "0.01",
}

MakeData = Callable[..., TrainingData]


def rising_or_falling(count: int, seed: int) -> dict[Modality, ModalityFeatures]:
    """Two classes that differ in nothing but the order of their 3 to 7 steps."""
    rng = np.random.default_rng(seed)
    label = np.arange(count) % 2
    length = rng.integers(3, 8, count)
    ids = [f"clip{number}" for number in range(count)]
    tables = {}
    for modality, dim in ((A, 4), (V, 6)):
        steps = 0.2 * rng.standard_normal((count, 7, dim))
        for row in range(count):
            ramp = np.linspace(-1, 1, length[row])
            steps[row, : length[row], 0] += ramp if label[row] else -ramp
            steps[row, length[row] :] = 5  # must take part in nothing
        tables[modality] = table(
            steps.astype(np.float32),
            id=ids,
            label=[("falling", "rising")[number] for number in label],
            split=np.where(np.arange(count) % 3 == 0, "test", "train"),
            pair=ids,
            length=length,
        )
    return tables


@pytest.fixture(scope="module")
def data() -> FeaturesFile:
    return FeaturesFile("ramps", rising_or_falling(150, 0))


@pytest.fixture(scope="module")
def run(data: FeaturesFile, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("ramps")
    write_features(folder / "f.h5", data)
    request = FitRequest(data=folder / "f.h5", method="lstm_c_cca", overrides=SMALL)
    return fit(request, data, folder / "run", lambda record: None)


def test_the_order_of_steps_is_learned_where_their_mean_says_nothing(
    run: Run, data: FeaturesFile, tmp_path: Path
) -> None:
    found = evaluate_run(run, data).summary()["directions"]
    request = FitRequest(data=Path(run.config["data"]["path"]), method="cca", overrides={})
    pooled = evaluate_run(fit(request, data, tmp_path / "cca", lambda record: None), data)
    for direction, values in pooled.summary()["directions"].items():
        assert values["mean_average_precision"] < 0.65  # chance is near 0.52
        assert found[direction]["mean_average_precision"] > 0.9


def test_what_was_fitted_is_evaluated_exported_indexed_and_found(
    run: Run, data: FeaturesFile, tmp_path: Path
) -> None:
    bundle = export_run(run, tmp_path / "bundle")
    assert all(bundle.spec(modality).sequences for modality in (A, V))
    evaluated = evaluate_run(run, data).judged
    build(bundle.directory, Path(run.config["data"]["path"]), tmp_path / "data", workers=2)
    with Collection.open(tmp_path / "data") as collection:
        view = collection.view
        for modality in (A, V):
            part = data.modalities[modality].of_split("test")
            for row, item_id in enumerate(part.id):
                (stored,) = view.vectors(item_id, modality)
                query = embed_features(bundle, modality, part.item(row))
                np.testing.assert_array_equal(query[0], stored)
                np.testing.assert_array_equal(evaluated[modality].embeddings[row], stored)
        rising = np.linspace(-1, 1, 5)[:, None] * np.eye(1, 4)
        query = embed_features(bundle, A, rising)
        (hits,) = view.search(V, query, 10)
        labels = [view.item(hit.item_id).label for hit in hits]
        assert labels.count("rising") >= 9


def test_a_run_of_sequences_refuses_one_row_per_item(run: Run, data: FeaturesFile) -> None:
    pooled = {
        m: table(rows.pooled, id=rows.id, label=rows.label, split=rows.split)
        for m, rows in data.modalities.items()
    }
    with pytest.raises(DataError, match=r"field audio/features .*: has one row per item"):
        evaluate_run(run, FeaturesFile("pooled", pooled))


def test_more_padding_trains_the_same_towers(run: Run, data: FeaturesFile) -> None:
    wider = {
        m: replace(
            rows,
            features=np.pad(
                rows.features, ((0, 0), (0, 3), (0, 0)), constant_values=np.float32(-9)
            ),
        )
        for m, rows in data.modalities.items()
    }
    request = FitRequest(
        data=Path(run.config["data"]["path"]), method="lstm_c_cca", overrides=SMALL
    )
    out = run.directory.with_name("wider")
    again = fit(request, FeaturesFile("ramps", wider), out, lambda record: None)
    for ours, theirs in zip(run.towers().values(), again.towers().values(), strict=True):
        for name, tensor in ours.state_dict().items():
            torch.testing.assert_close(tensor, theirs.state_dict()[name])


@pytest.mark.parametrize("preset", ["paper", "as_coded", "tuned"])
def test_every_parameter_receives_gradient(make_data: MakeData, preset: str) -> None:
    settings = METHOD.presets[preset]
    data = as_taken(METHOD.card, make_data(0))
    torch.manual_seed(0)
    towers = METHOD.build(settings, Problem.of(data))
    context = FitContext(seed=0, device=torch.device("cpu"))
    ready = prepare(towers, data, context, divide=settings.standardize)
    (batch,) = PairBatches(ready.data, 48, np.random.default_rng(0))
    covariances = deep.covariances_of(
        towers, ready, batch, PairSet(sigma=0.2), np.ones(48, bool)
    )
    correlations = deep.canonical_correlations(covariances, settings.ridge)
    torch.autograd.backward(deep.OBJECTIVES[settings.objective](correlations, 3))
    for tower in towers.values():
        for name, parameter in tower.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.abs().max() > 1e-9, name


@pytest.mark.parametrize("preset", ["paper", "as_coded"])
def test_published_presets_train(make_data: MakeData, preset: str) -> None:
    layers = {"left_layers": "16-16-8-6", "right_layers": "20-20-8-6"}
    data = make_data(0)
    fitted = fit_method("lstm_c_cca", preset, layers | {"epochs": "100"}, data, None)
    found = score(fitted.towers, as_taken(METHOD.card, make_data(1)))
    assert found.mean > 0.6  # chance is near 0.28


def test_presets_differ_as_their_sources_do() -> None:
    paper, coded, tuned = (METHOD.presets[n] for n in ("paper", "as_coded", "tuned"))
    assert (paper.activation, coded.activation, tuned.activation) == (
        "softmax",
        "softmax",
        "relu",
    )
    assert (paper.mask, coded.mask, tuned.mask) == (True, False, True)
    assert (paper.shuffle, coded.shuffle, tuned.shuffle) == (True, False, True)
    assert {preset.steps for preset in (paper, coded, tuned)} == {10}
    for preset in (paper, coded):
        assert preset.left_layers == "512-512-128-64"
        assert preset.right_layers == "784-784-256-64"
        assert (preset.optimizer, preset.rate, preset.epochs) == ("rmsprop", 1e-3, 50)
    assert coded.batch == 200


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"left_layers": "16-6"}, "left_layers must name a recurrent layer, the layer at"),
        ({"right_layers": "16-x-6"}, "right_layers must be positive widths"),
        ({"steps": 0}, "steps must be in"),
    ],
)
def test_settings_out_of_range_are_refused(
    settings: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        replace(LstmSettings(), **settings)


def test_three_modalities_are_refused(make_data: MakeData) -> None:
    data = make_data(0, dims={A: 5, T: 6, V: 7})
    with pytest.raises(DataError, match="exactly two modalities"):
        fit_method("lstm_c_cca", "tuned", SMALL, data, None)


def test_data_without_a_time_axis_are_refused_by_name(make_data: MakeData) -> None:
    data = replace(make_data(0), sequences={A: make_data(0).sequences[A]})
    with pytest.raises(DataError, match=r"field visual/features .*: has one row per item"):
        fit_method("lstm_c_cca", "tuned", SMALL, data, None)
