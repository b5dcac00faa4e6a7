import json
from pathlib import Path

import numpy as np
import pytest

import training.protocol.sweep as module
from crossmodal.errors import ConfigError, DataError
from crossmodal.features import FeaturesFile, read_features, table, write_features
from crossmodal.modality import Modality
from training.data import class_names, training_data
from training.methods.catalog import method_named, preset_of
from training.protocol.selection import fit_method
from training.protocol.splits import with_validation
from training.protocol.sweep import Sweep, SweepRequest, parse_varied, run_sweep
from training.protocol.validation import score

A, V = Modality.AUDIO, Modality.VISUAL


@pytest.fixture
def path(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    label = np.repeat(np.arange(3), 20)
    shared = np.concatenate([2 * np.eye(3)[label], rng.standard_normal((60, 2))], axis=1)
    tables = {}
    for modality, dim in ((A, 6), (V, 8)):
        rows = shared @ rng.standard_normal((5, dim)) + rng.standard_normal((60, dim))
        tables[modality] = table(
            rows.astype(np.float32),
            id=[f"c{n}" for n in range(60)],
            pair=[f"c{n}" for n in range(60)],
            label=[f"class{n}" for n in label],
            split=np.tile(np.repeat(["train", "test"], [14, 6]), 3),
        )
    write_features(tmp_path / "f.h5", FeaturesFile("made", tables))
    return tmp_path / "f.h5"


def request_of(path: Path, **changes: object) -> SweepRequest:
    values: dict[str, object] = {
        "data": path,
        "method": "cca",
        "varied": {"k": ("1", "3")},
        "overrides": {"ridge": "0.1"},
    } | changes
    return SweepRequest(**values)  # type: ignore[arg-type]


def test_every_combination_is_fitted_with_every_seed(path: Path, tmp_path: Path) -> None:
    varied = {"k": ("1", "3"), "ridge": ("0.5", "1")}
    request = request_of(path, varied=varied, overrides={}, seeds=(0, 1))
    done: list[int] = []
    sweep = run_sweep(request, read_features(path), tmp_path / "s", lambda: done.append(1))
    assert request.fits == len(done) == len(sweep.card["points"]) == 8
    assert sweep.trials.varied == {"k": [1, 3], "ridge": [0.5, 1.0]}
    assert {trial.fits for trial in sweep.trials.trials} == {2}
    assert Sweep.open(tmp_path / "s").trials == sweep.trials


def test_closed_form_is_scored_on_validation_it_has_not_seen(
    path: Path, tmp_path: Path
) -> None:
    data = read_features(path)
    sweep = run_sweep(request_of(path), data, tmp_path / "s")
    cut = with_validation(data, seed=0)
    classes = class_names(cut.of_split("train"))
    train, val = (training_data(cut, split, classes) for split in ("train", "val"))
    for trial in sweep.trials.trials:
        texts = {"ridge": "0.1", "k": str(trial.settings["k"])}
        alone = fit_method("cca", "paper", {**_all(texts)}, train, None, seed=0)
        assert trial.score == pytest.approx(score(alone.towers, val).mean, abs=1e-9)


def _all(texts: dict[str, str]) -> dict[str, str]:
    start = preset_of(method_named("cca"), "tuned").to_json()
    return {key: str(value) for key, value in start.items()} | texts


def test_test_split_follows_the_protocol_of_a_comparison(
    path: Path, tmp_path: Path
) -> None:
    data = read_features(path)
    sweep = run_sweep(request_of(path, split="test"), data, tmp_path / "s")
    assert sweep.trials.scored_on == "test"
    cut = with_validation(data, seed=0)
    classes = class_names(cut.of_split("train"))
    train, val, test = (training_data(cut, s, classes) for s in ("train", "val", "test"))
    fitted = fit_method("cca", "paper", _all({"ridge": "0.1", "k": "3"}), train, val)
    assert sweep.trials.trials[1].score == pytest.approx(score(fitted.towers, test).mean)


def test_stopped_sweep_goes_on_where_it_was(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, out = read_features(path), tmp_path / "s"
    whole = run_sweep(request_of(path), data, out)
    lost = sorted((out / "points").iterdir())[0]
    lost.unlink()
    (out / "sweep.json").unlink()
    fits: list[object] = []
    real = module.fit_method
    monkeypatch.setattr(
        module, "fit_method", lambda *a, **k: (fits.append(a), real(*a, **k))[1]
    )
    again = run_sweep(request_of(path), data, out)
    assert len(fits) == 1
    assert again.trials == whole.trials
    run_sweep(request_of(path, overrides={"ridge": "1"}), data, out)
    assert len(fits) == 3  # other settings are other fits


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["k"], "expected KEY=V1,V2"),
        (["=1,2"], "expected KEY=V1,V2"),
        (["k=1,,2"], "expected KEY=V1,V2"),
        (["k=1", "k=2"], "each key once"),
        (["k=1,2,1"], "a value comes twice"),
    ],
)
def test_bad_lists_of_values_are_refused(texts: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_varied(texts)


def test_values_are_taken_apart() -> None:
    assert parse_varied(["k=1, 2", "scale=0.5"]) == {"k": ("1", "2"), "scale": ("0.5",)}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"varied": {"q": ("1",)}}, "unknown setting 'q'"),
        ({"varied": {"k": ("1", "two")}}, "k must be int, got 'two'"),
        ({"varied": {"k": ("0",)}}, "k must be in"),
        ({"varied": {"ridge": ("1",)}}, "ridge is both varied and set"),
        ({"method": "magic"}, "magic"),
        ({"split": "train"}, "val or test"),
    ],
)
def test_wrong_settings_are_refused_before_the_first_fit(
    path: Path, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        request_of(path, **changes)


def test_directory_of_something_else_is_left_alone(path: Path, tmp_path: Path) -> None:
    out = tmp_path / "thesis"
    out.mkdir()
    (out / "thesis.tex").write_text("years of work")
    with pytest.raises(ConfigError, match="not empty and no sweep"):
        run_sweep(request_of(path), read_features(path), out)
    with pytest.raises(ConfigError, match="holds no finished sweep"):
        Sweep.open(out)
    (out / "sweep.json").write_text(json.dumps({"format": 9}))
    with pytest.raises(ConfigError, match="format 9, expected 1"):
        Sweep.open(out)


def test_a_refused_sweep_leaves_the_earlier_one_whole(path: Path, tmp_path: Path) -> None:
    out = tmp_path / "s"
    first = run_sweep(request_of(path), read_features(path), out)
    before = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
    empty = FeaturesFile(
        "made",
        {m: t.of_split("test") for m, t in read_features(path).modalities.items()},
    )
    with pytest.raises(DataError, match=r"f\.h5: field audio/split: no audio row is of"):
        run_sweep(request_of(path), empty, out)
    assert {p: p.read_bytes() for p in out.rglob("*") if p.is_file()} == before
    assert Sweep.open(out).trials == first.trials
