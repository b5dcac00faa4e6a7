"""The flow from features file to bundle, on data made here."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from crossmodal.bundle import Bundle
from crossmodal.errors import BundleError, ConfigError, DataError, DivergenceError
from crossmodal.features import FeaturesFile, table, write_features
from crossmodal.modality import Modality
from training.commands.export import export_run
from training.export import graph_of, parity
from training.fitting.best_epoch import BestEpoch
from training.protocol.evaluate import evaluate_run
from training.run import FitRequest, Run, fit

A, V = Modality.AUDIO, Modality.VISUAL
CLASSES, PER_CLASS = 3, 24


def synthetic(seed: int = 0) -> FeaturesFile:
    """Paired features: a class centre plus an event both modalities see, plus noise."""
    rng = np.random.default_rng(seed)
    count = CLASSES * PER_CLASS
    label = np.repeat(np.arange(CLASSES), PER_CLASS)
    split = np.tile(np.repeat(["train", "val", "test"], [14, 4, 6]), CLASSES)
    event = rng.standard_normal((count, 2))
    shared = np.concatenate([3 * np.eye(CLASSES)[label], event], axis=1)
    ids = [f"clip{n}" for n in range(count)]
    tables = {}
    for modality, dim in ((A, 9), (V, 12)):
        mixing = rng.standard_normal((shared.shape[1], dim))
        features = shared @ mixing + 0.3 * rng.standard_normal((count, dim))
        tables[modality] = table(
            features.astype(np.float32), id=ids, label=label, split=split, pair=ids
        )
    return FeaturesFile("synthetic", tables)


def fit_on(data: FeaturesFile, folder: Path, method: str = "c_cca", **settings: str) -> Run:
    path = folder / "features.h5"
    write_features(path, data)
    request = FitRequest(data=path, method=method, overrides=settings)
    return fit(request, data, folder / "run", lambda values: None)


def test_fitted_run_is_evaluated_exported_and_served_alike(tmp_path: Path) -> None:
    data = synthetic()
    run = fit_on(data, tmp_path)
    evaluation = evaluate_run(run, data)
    evaluation.write(run.directory)
    for values in evaluation.summary()["directions"].values():
        assert values["mean_average_precision"] > 0.8
        assert values["random_mean_average_precision"] < 0.5
        assert values["queries"] == values["gallery"] == CLASSES * 6
    bundle = export_run(run, tmp_path / "bundle")
    rows = data.of_split("test").modalities
    for modality in (A, V):
        served = bundle.encoder(modality).embed(rows[modality].pooled)
        np.testing.assert_array_equal(served, evaluation.judged[modality].embeddings)


def test_evaluation_leaves_nothing_out_of_its_record(tmp_path: Path) -> None:
    data = synthetic()
    run = fit_on(data, tmp_path)
    evaluate_run(run, data).write(run.directory)
    written = {path.name for path in run.directory.iterdir()}
    assert {
        "config.json",
        "environment.json",
        "metrics.jsonl",
        "checkpoint.safetensors",
        "evaluation.json",
        "audio.onnx",
        "visual.onnx",
        "test.audio2visual.run.gz",
    } <= written
    card = json.loads((run.directory / "evaluation.json").read_text())
    assert (
        set(card["directions"]) == set(card["curves"]) == {"audio2visual", "visual2audio"}
    )


def test_same_seed_gives_the_same_bundle_bit_for_bit(tmp_path: Path) -> None:
    ids = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        run = fit_on(synthetic(), tmp_path / name, "supcon", epochs="3")
        ids.append({m: graph for m, graph in run.graphs().items()})
    assert ids[0] == ids[1]


def test_test_rows_do_not_enter_the_fit(tmp_path: Path) -> None:
    data = synthetic()
    spoiled = {}
    for modality, rows in data.modalities.items():
        features = rows.features.copy()
        features[rows.split == "test"] = 1e3
        spoiled[modality] = table(
            features, id=rows.id, label=rows.label, split=rows.split, pair=rows.pair
        )
    for name in ("clean", "spoiled"):
        (tmp_path / name).mkdir()
    clean = fit_on(data, tmp_path / "clean")
    other = fit_on(FeaturesFile("synthetic", spoiled), tmp_path / "spoiled")
    assert clean.graphs() == other.graphs()


def test_checkpoint_that_differs_from_the_graphs_is_not_exported(tmp_path: Path) -> None:
    run = fit_on(synthetic(), tmp_path)
    path = run.directory / "checkpoint.safetensors"
    changed = {
        name: tensor + 0.1 if tensor.is_floating_point() else tensor
        for name, tensor in load_file(path).items()
    }
    save_file(changed, path)
    with pytest.raises(BundleError, match="differs from the checkpoint"):
        export_run(run, tmp_path / "bundle")


def test_parity_is_measured_at_every_batch_size() -> None:
    torch.manual_seed(0)
    tower = torch.nn.Sequential(torch.nn.Linear(5, 4), Unit())
    report = parity(tower, graph_of(tower, 5), input_dim=5, dim=4)
    assert set(report["largest_difference_by_batch"]) == {"1", "2", "7", "64"}


class Unit(torch.nn.Module):
    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.normalize(features, dim=1)


class LastOfMean(torch.nn.Module):
    """Depends on how many steps there are and in which order they come."""

    def __init__(self, *, frozen: bool) -> None:
        super().__init__()
        self.frozen = frozen

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        if self.frozen and features.shape[1] > 4:  # the graph will hold one way only
            return Unit()(features[:, 0])
        return Unit()(features.mean(dim=1) + features[:, -1])


def test_parity_of_sequences_is_measured_at_every_length() -> None:
    sizes = {"input_dim": 5, "dim": 5, "sequences": True}
    tower = LastOfMean(frozen=False)
    report = parity(tower, graph_of(tower, 5, sequences=True), **sizes)
    measured = report["largest_difference_by_batch"]
    assert set(measured) == {f"{b}x{t}" for b in (1, 2, 7, 64) for t in (1, 4, 10, 25)}
    frozen = LastOfMean(frozen=True)
    with pytest.raises(BundleError, match="differs from the checkpoint"):
        parity(frozen, graph_of(frozen, 5, sequences=True), **sizes)


def test_random_is_reported_but_not_exported(tmp_path: Path) -> None:
    data = synthetic()
    run = fit_on(data, tmp_path, "random")
    summary = evaluate_run(run, data).summary()
    for values in summary["directions"].values():
        assert values["mean_average_precision"] == pytest.approx(
            values["random_mean_average_precision"], abs=0.12
        )
    with pytest.raises(ConfigError, match="for reports only"):
        export_run(run, tmp_path / "bundle")


def test_run_refuses_features_of_another_width_or_front_end(tmp_path: Path) -> None:
    run = fit_on(synthetic(), tmp_path)
    rows = table(np.ones((3, 4), np.float32), id="abc", label="000", split=["test"] * 3)
    with pytest.raises(
        DataError, match=r"field audio/features .*: rows are 4 wide; the run .* on 9"
    ):
        evaluate_run(run, FeaturesFile("other", {A: rows, V: rows}))
    with pytest.raises(DataError, match="field visual/features: is missing; the run"):
        evaluate_run(run, FeaturesFile("other", {A: synthetic().modalities[A]}))


def test_a_folder_of_something_else_is_never_emptied(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.tex").write_text("years of work")
    with pytest.raises(ConfigError, match="not empty and no run"):
        fit_on(synthetic(), tmp_path)
    run_path = tmp_path / "bundle"
    run_path.mkdir()
    (run_path / "thesis.tex").write_text("years of work")
    (tmp_path / "other").mkdir()
    with pytest.raises(BundleError, match="not empty and no bundle"):
        export_run(fit_on(synthetic(), tmp_path / "other"), run_path)
    assert (run_path / "thesis.tex").is_file()


def test_damaged_bundle_file_is_named(tmp_path: Path) -> None:
    export_run(fit_on(synthetic(), tmp_path), tmp_path / "bundle")
    graph = tmp_path / "bundle" / "audio.onnx"
    content = bytearray(graph.read_bytes())
    content[len(content) // 2] ^= 1
    graph.write_bytes(content)
    with pytest.raises(BundleError, match=r"audio\.onnx has sha256"):
        Bundle.open(tmp_path / "bundle")


def test_an_interrupted_fit_is_resumed_and_a_finished_one_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, path = synthetic(), tmp_path / "features.h5"
    write_features(path, data)
    settings = {"epochs": "4", "hidden": "8"}
    request = FitRequest(data=path, method="supcon", overrides=settings)
    whole = fit(request, data, tmp_path / "whole", lambda values: None)
    monkeypatch.setattr("training.fitting.checkpoints.INTERVAL_S", 0.0)
    epochs: list[int] = []

    def interrupt(values: dict[str, int]) -> None:
        epochs.append(values.get("epoch", 0))
        if values.get("epoch") == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(request, data, tmp_path / "run", interrupt)
    assert not (tmp_path / "run" / "config.json").exists()
    told: list[dict[str, int]] = []
    resumed = fit(request, data, tmp_path / "run", told.append, resume=True)
    assert resumed.graphs() == whole.graphs()
    read = (tmp_path / "whole" / "metrics.jsonl").read_text()
    assert (tmp_path / "run" / "metrics.jsonl").read_text() == read
    assert not (tmp_path / "run" / "partial").exists()
    told.clear()
    fit(request, data, tmp_path / "run", told.append, resume=True)
    assert told == []
    other = FitRequest(data=path, method="supcon", overrides=settings, seed=1)
    with pytest.raises(ConfigError, match="holds the run of another request"):
        fit(other, data, tmp_path / "run", told.append, resume=True)


def files_of(folder: Path) -> dict[Path, bytes]:
    return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def diverge(*given: object, **named: object) -> None:
    raise DivergenceError("training diverged in epoch 3")


def test_a_refused_or_failed_fit_leaves_the_earlier_run_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, path, out = synthetic(), tmp_path / "features.h5", tmp_path / "run"
    write_features(path, data)
    fit(FitRequest(data=path, method="cca", overrides={"k": "2"}), data, out, print)
    before = files_of(out)
    few = FeaturesFile(
        data.name, {m: t.take(np.arange(0, len(t), 9)) for m, t in data.modalities.items()}
    )
    write_features(tmp_path / "few.h5", few)
    request = FitRequest(data=tmp_path / "few.h5", method="cca", overrides={"k": "9"})
    with pytest.raises(DataError, match=r"few\.h5: field .* cannot determine k=9"):
        fit(request, few, out, print)
    assert files_of(out) == before
    unscored = FeaturesFile(
        data.name, {m: t.of_split("train") for m, t in data.modalities.items()}
    )
    with pytest.raises(DataError, match="field audio/split: no audio row is of split test"):
        fit(replace(request, data=path, overrides={}), unscored, out, print)
    assert files_of(out) == before
    monkeypatch.setattr("training.methods.cca.Cca.fit", diverge)
    with pytest.raises(DivergenceError):
        fit(replace(request, data=path, overrides={}), data, out, print)
    assert files_of(out) == before
    assert Run.open(out).config["settings"]["k"] == 2


def test_an_interrupted_fit_over_an_earlier_run_goes_on_and_replaces_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, path, out = synthetic(), tmp_path / "features.h5", tmp_path / "run"
    write_features(path, data)
    fit(FitRequest(data=path, method="cca", overrides={"k": "2"}), data, out, print)
    monkeypatch.setattr("training.fitting.checkpoints.INTERVAL_S", 0.0)
    epochs: list[int] = []
    see = BestEpoch.see

    def interrupting(keeper: BestEpoch, epoch: int, terms: dict[str, float]) -> None:
        epochs.append(epoch)
        if len(epochs) == 3:
            raise KeyboardInterrupt
        see(keeper, epoch, terms)

    monkeypatch.setattr(BestEpoch, "see", interrupting)
    settings = {"epochs": "4", "hidden": "8"}
    request = FitRequest(data=path, method="supcon", overrides=settings)
    with pytest.raises(KeyboardInterrupt):
        fit(request, data, out, print)
    assert Run.open(out).config["method"] == "cca"
    run = fit(request, data, out, print, resume=True)
    assert epochs == [1, 2, 3, 3, 4]
    assert run.config["method"] == "supcon"
    whole = fit(request, data, tmp_path / "whole", print)
    assert run.graphs() == whole.graphs()
    assert {p.name for p in out.iterdir()} == {p.name for p in whole.directory.iterdir()}
