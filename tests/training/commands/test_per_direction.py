"""A preset of a model per direction: from its fit to bundles that say what they serve."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from crossmodal.bundle import Bundle
from crossmodal.errors import BundleError, ConfigError
from crossmodal.features import FeaturesFile, read_features, table, write_features
from crossmodal.modality import Direction, Modality, parse_direction
from training.__main__ import app
from training.per_direction import open_runs, place_of, requests_of
from training.run import FitRequest, Run, fit

A, V = Modality.AUDIO, Modality.VISUAL
WAYS = ("audio2visual", "visual2audio")
SMALL = {"epochs": "2", "batch_count": "2", "hidden": "6", "hidden_visual": "7"}


def features_file(path: Path) -> Path:
    rng = np.random.default_rng(0)
    label = np.repeat(np.arange(3), 12)
    split = np.tile(np.repeat(["train", "val", "test"], [6, 3, 3]), 3)
    ids = [f"clip{n}" for n in range(len(label))]
    tables = {
        modality: table(
            (3 * np.eye(3, dim)[label] + rng.standard_normal((36, dim))).astype(np.float32),
            id=ids,
            label=label,
            split=split,
            pair=ids,
        )
        for modality, dim in ((A, 5), (V, 6))
    }
    write_features(path, FeaturesFile("small", tables))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``fit`` and ``export`` make of it: ``features.h5``, ``fit`` and ``export``."""
    made = tmp_path_factory.mktemp("per_direction")
    path = features_file(made / "features.h5")
    chosen = [word for k, v in SMALL.items() for word in ("--set", f"{k}={v}")]
    named = ["--method", "tnn", "--preset", "paper", "--device", "cpu"]
    call("fit", "--data", str(path), *named, *chosen, "--out", str(made / "fit"))
    call("export", "--run", str(made / "fit"), "--out", str(made / "export"))
    return made


def call(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def request(path: Path, **overrides: str) -> FitRequest:
    return FitRequest(data=path, method="tnn", preset="paper", overrides=SMALL | overrides)


def test_each_direction_has_the_run_that_its_own_anchor_gives(
    folder: Path, tmp_path: Path
) -> None:
    path = folder / "features.h5"
    runs = open_runs(folder / "fit")
    assert [run.directory.name for run in runs] == list(WAYS)
    for run, anchor in zip(runs, ("audio", "visual"), strict=True):
        assert run.config["settings"]["anchor"] == anchor
        alone = fit(
            request(path, anchor=anchor),
            read_features(path),
            tmp_path / anchor,
            lambda values: None,
        )
        assert alone.direction is None
        assert alone.graphs() == run.graphs()


def test_each_is_scored_in_its_direction_and_both_are_printed_together(
    folder: Path,
) -> None:
    found = {}
    for way in WAYS:
        card = json.loads((folder / "fit" / way / "evaluation.json").read_text())
        assert list(card["directions"]) == [way]
        found |= card["directions"]
    printed = call("evaluate", "--run", str(folder / "fit"), "--format", "json")
    assert json.loads(printed)["directions"] == found


def test_each_bundle_is_marked_and_serves_its_direction_alone(folder: Path) -> None:
    for way, other in (WAYS, WAYS[::-1]):
        bundle = Bundle.open(folder / "export" / way)
        assert bundle.manifest.direction == parse_direction(way)
        assert bundle.serves(parse_direction(way))
        assert not bundle.serves(parse_direction(other))
        assert bundle.serves(Direction(A, A))
        assert {str(d) for d in bundle.manifest.confidence} == {
            way,
            "audio2audio",
            "visual2visual",
        }
        card = (folder / "export" / way / "MODEL_CARD.md").read_text()
        assert f"Serves: {way} alone" in card


def test_a_model_for_both_directions_is_one_run_and_an_unmarked_bundle(
    folder: Path, tmp_path: Path
) -> None:
    path = folder / "features.h5"
    both = request(path, anchor="both")
    assert requests_of(both, read_features(path)) == [both]
    fit(both, read_features(path), tmp_path / "run", lambda values: None)
    call("export", "--run", str(tmp_path / "run"), "--out", str(tmp_path / "bundle"))
    bundle = Bundle.open(tmp_path / "bundle")
    assert all(bundle.serves(parse_direction(way)) for way in WAYS)
    assert "direction" not in json.loads((tmp_path / "bundle/manifest.json").read_text())


def test_runs_of_directions_never_join_something_else(folder: Path, tmp_path: Path) -> None:
    path = folder / "features.h5"
    one, _ = requests_of(request(path), read_features(path))
    assert place_of(tmp_path / "new", one) == tmp_path / "new" / "audio2visual"
    assert place_of(folder / "fit", one) == folder / "fit" / "audio2visual"
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ConfigError, match="something else than one run per direction"):
        place_of(tmp_path, one)


def test_a_folder_without_runs_is_none(tmp_path: Path) -> None:
    (tmp_path / "audio2visual").mkdir()
    with pytest.raises(ConfigError, match="is it a run"):
        open_runs(tmp_path)


def test_a_run_of_one_direction_can_be_opened_alone(folder: Path) -> None:
    (run,) = open_runs(folder / "fit" / "audio2visual")
    assert run.direction == Run.open(run.directory).direction == Direction(A, V)


def test_a_mark_that_is_no_direction_damages_the_bundle(
    folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(folder / "export" / "audio2visual", tmp_path / "bundle")
    manifest = tmp_path / "bundle" / "manifest.json"
    for wrong, says in (("both", "unknown direction 'both'"), (7, "damaged or not of a")):
        value = json.loads(manifest.read_text()) | {"direction": wrong}
        manifest.write_text(json.dumps(value))
        with pytest.raises(BundleError, match=says):
            Bundle.open(tmp_path / "bundle")
