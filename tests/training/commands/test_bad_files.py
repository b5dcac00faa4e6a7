"""Every fault of a features file, in both layouts, through every command that reads one."""

import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from crossmodal.errors import DataError
from index.__main__ import app as index_app
from training.__main__ import app as training_app

ROOT = Path(__file__).resolve().parents[3]
TRAIN, TEST, DIM = 18, 12, 5
OURS, THEIRS = "ours", "the literature's"
LEARNING = ("fit", "compare", "sweep")
READING = (*LEARNING, "evaluate", "index build")
MEASURING = (*LEARNING, "evaluate")

Content = dict[str, Any]


def good(layout: str) -> Content:
    """Three classes, rows of a class alike, as fields by name."""
    rng = np.random.default_rng(0)
    label = np.arange(TRAIN + TEST) % 3
    rows = {
        m: 3 * np.eye(3, DIM)[label] + rng.standard_normal((TRAIN + TEST, DIM))
        for m in ("audio", "visual")
    }
    if layout == THEIRS:
        ends = {"train": slice(TRAIN), "test": slice(TRAIN, None)}
        content: Content = {f"lab_{s}": label[part] for s, part in ends.items()}
        for modality, features in rows.items():
            content |= {f"{modality}_{s}": features[part] for s, part in ends.items()}
        return content
    columns = {
        "id": [f"i{n}" for n in range(TRAIN + TEST)],
        "pair": [f"p{n}" for n in range(TRAIN + TEST)],
        "label": [f"class{n}" for n in label],
        "split": ["train"] * TRAIN + ["test"] * TEST,
        "group": [f"g{n // 2}" for n in range(TRAIN + TEST)],
    }
    return {
        f"{m}/{key}": value
        for m, features in rows.items()
        for key, value in {"features": features, **columns}.items()
    }


def write(path: Path, content: Mapping[str, Any]) -> Path:
    with h5py.File(path, "w") as file:
        for key, value in content.items():
            file[key] = value
    return path


@dataclass(frozen=True)
class Fault:
    """A change of a good file, what its error says, and the commands it stops."""

    layout: str
    change: Callable[[Content], object]
    says: str
    commands: tuple[str, ...] = READING


def first(content: Content, *keys: str, rows: int, to: object) -> None:
    """Give the first rows of some fields another value."""
    for key in keys:
        rest = list(content[key])[rows:]
        content[key] = [*[to] * rows, *rest]


def last(content: Content, *keys: str, rows: int, to: object) -> None:
    """Give the last rows of some fields another value."""
    for key in keys:
        content[key] = [*list(content[key])[:-rows], *[to] * rows]


LABELS = ("audio/label", "visual/label")
FAULTS = {
    "no features": Fault(
        OURS,
        lambda c: c.pop("visual/features"),
        "field visual: belongs to no known layout; expected",
    ),
    "no label": Fault(
        OURS, lambda c: c.pop("audio/label"), "field audio/label: is missing; every file"
    ),
    "no split": Fault(
        OURS, lambda c: c.pop("visual/split"), "field visual/split: is missing; every file"
    ),
    "one dimension": Fault(
        OURS,
        lambda c: c.update({"audio/features": np.ones(TRAIN + TEST)}),
        "field audio/features: has shape (30,); expected (items, dim)",
    ),
    "unequal rows": Fault(
        OURS,
        lambda c: c.update({"audio/label": c["audio/label"][1:]}),
        "field audio/label: has 29 rows, audio/features 30; row i",
    ),
    "NaN": Fault(
        OURS,
        lambda c: first(c, "visual/features", rows=1, to=[np.nan] * DIM),
        "field visual/features: row 0 is not finite (NaN, infinite or beyond float32); c",
    ),
    "text for numbers": Fault(
        OURS,
        lambda c: c.update({"audio/features": np.full((30, DIM), b"x")}),
        "field audio/features: holds |S1; expected numbers",
    ),
    "complex numbers": Fault(
        OURS,
        lambda c: c.update({"audio/features": c["audio/features"] + 1j}),
        "field audio/features: holds complex128; expected numbers",
    ),
    "fractions for labels": Fault(
        OURS,
        lambda c: c.update({"audio/label": np.full(30, 0.5)}),
        "field audio/label: holds float64; expected text or whole numbers",
    ),
    "no rows": Fault(
        OURS,
        lambda c: c.update({"audio/features": np.ones((0, DIM))}),
        "field audio/features: is empty, (0, 5); expected rows",
    ),
    "another split": Fault(
        OURS,
        lambda c: last(c, "audio/split", rows=1, to="dev"),
        "field audio/split: holds 'dev'; expected train, val, test",
    ),
    "one class": Fault(
        OURS,
        lambda c: last(c, *LABELS, rows=TRAIN + TEST, to="dog"),
        "field audio/label (lab_t",
        MEASURING,
    ),
    "class unknown to training": Fault(
        OURS,
        lambda c: last(c, *LABELS, rows=1, to="owl"),
        "field audio/label (lab_test): test has ",
        MEASURING,
    ),
    "id on both sides": Fault(
        OURS,
        lambda c: last(c, "audio/id", "visual/id", rows=1, to="i0"),
        "field audio/id: 'i0' ",
    ),
    "id twice": Fault(
        OURS,
        lambda c: first(c, "audio/id", rows=2, to="i7"),
        "field audio/id: 2 rows repeat the id of another; give",
        MEASURING,
    ),
    "pair on both sides": Fault(
        OURS,
        lambda c: last(c, "visual/pair", rows=1, to="p0"),
        "field visual/pair: 'p0' has rows in train and in test; an event",
        MEASURING,
    ),
    "group on both sides": Fault(
        OURS,
        lambda c: last(c, "visual/group", rows=1, to="g0"),
        "field visual/group: 'g0' has rows in train and in test; give",
        MEASURING,
    ),
    "no test rows": Fault(
        OURS,
        lambda c: last(c, "audio/split", "visual/split", rows=TEST, to="train"),
        "field audio/split: no audio row is of split test; the column",
        MEASURING,
    ),
    "no training rows": Fault(
        OURS,
        lambda c: first(c, "audio/split", "visual/split", rows=TRAIN, to=""),
        "field audio/split: no audio row is of split train; the column",
        LEARNING,
    ),
    "no lab_test": Fault(
        THEIRS, lambda c: c.pop("lab_test"), "field lab_test: is missing; every file"
    ),
    "no visual_train": Fault(
        THEIRS, lambda c: c.pop("visual_train"), "field visual_train: is missing; every"
    ),
    "one dimension, theirs": Fault(
        THEIRS,
        lambda c: c.update(audio_test=np.ones(TEST)),
        "field audio_test: has shape (12,); expected (items, dim)",
    ),
    "other width in test": Fault(
        THEIRS,
        lambda c: c.update(audio_test=c["audio_test"][:, 1:]),
        "field audio_test: has rows of shape (4,), audio_train (5,); compute",
    ),
    "unequal rows, theirs": Fault(
        THEIRS,
        lambda c: c.update(visual_test=c["visual_test"][1:]),
        "field visual_test: has 11 rows, lab_test 12; row i",
    ),
    "NaN, theirs": Fault(
        THEIRS,
        lambda c: first(c, "visual_test", rows=3, to=[np.nan] * DIM),
        "field visual_test: row 0 is not finite (NaN, infinite or beyond float32); comp",
    ),
    "text for numbers, theirs": Fault(
        THEIRS,
        lambda c: c.update(audio_train=np.full((TRAIN, DIM), b"x")),
        "field audio_train: holds |S1; expected numbers",
    ),
    "no rows, theirs": Fault(
        THEIRS,
        lambda c: c.update(audio_test=np.ones((0, DIM)), lab_test=np.ones(0)),
        "field lab_test: has no rows; both",
    ),
    "one class, theirs": Fault(
        THEIRS,
        lambda c: first(c, "lab_train", rows=TRAIN, to=1),
        "field lab_train: holds one class only (1); expected two or more",
    ),
    "class below 0": Fault(
        THEIRS,
        lambda c: first(c, "lab_train", rows=1, to=-1),
        "field lab_train: row 0 is -1; expected class numbers",
    ),
    "class far out": Fault(
        THEIRS,
        lambda c: c.update(lab_train=np.append(c["lab_train"][1:], 1e18)),
        "field lab_train: row 17 is 1e+18; expected class numbers",
    ),
    "class with a gap": Fault(
        THEIRS,
        lambda c: first(c, "lab_train", rows=1, to=99_999),
        "field lab_train: holds class 99999 but none 3; number",
    ),
    "class unknown to training, theirs": Fault(
        THEIRS,
        lambda c: first(c, "lab_test", rows=1, to=7),
        "field lab_test: holds class 7, which lab_train does not; leave",
    ),
}


@dataclass(frozen=True)
class Commands:
    """How each command is called, with what it needs beside a features file."""

    run: Path
    bundle: Path
    folder: Path

    def arguments(self, command: str, path: Path) -> tuple[typer.Typer, list[str]]:
        out = str(self.folder / "out")
        method = ["--data", str(path), "--method", "cca"]
        if command == "fit":
            return training_app, ["fit", *method, "--out", out]
        if command == "compare":
            return training_app, [
                *("compare", "--data", str(path), "--methods", "cca", "--seeds", "1"),
                *("--workers", "1", "--out", out),
            ]
        if command == "sweep":
            split = ["--split", "test"]
            return training_app, ["sweep", *method, "--vary", "k=1,2", "--out", out, *split]
        if command == "evaluate":
            return training_app, ["evaluate", "--run", str(self.run), "--data", str(path)]
        return index_app, [
            *("build", "--bundle", str(self.bundle), "--source", str(path), "--out", out)
        ]

    def call(self, command: str, path: Path) -> Any:
        app, arguments = self.arguments(command, path)
        return CliRunner().invoke(app, arguments)


@pytest.fixture(scope="session")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run and its bundle, of a good file."""
    folder = tmp_path_factory.mktemp("fitted")
    path, run = write(folder / "good.h5", good(OURS)), folder / "run"
    settings = ["--set", "k=2", "--set", "ridge=0.1"]
    fit = ["fit", "--data", str(path), "--method", "cca", "--out", str(run), *settings]
    for arguments in (fit, ["export", "--run", str(run), "--out", str(folder / "bundle")]):
        made = CliRunner().invoke(training_app, arguments)
        assert made.exit_code == 0, made.output
    return run, folder / "bundle"


@pytest.fixture
def commands(fitted: tuple[Path, Path], tmp_path: Path) -> Commands:
    return Commands(*fitted, tmp_path)


@pytest.mark.parametrize("layout", [OURS, THEIRS])
@pytest.mark.parametrize("command", ["evaluate", "index build", "sweep"])
def test_the_good_file_passes(commands: Commands, command: str, layout: str) -> None:
    result = commands.call(command, write(commands.folder / "good.h5", good(layout)))
    if (layout, command) == (THEIRS, "evaluate"):  # classes are numbers there
        assert "'0', which is not among the classes" in str(result.exception)
    else:
        assert result.exception is None, result.exception


@pytest.mark.parametrize("what", FAULTS)
def test_a_fault_is_one_error_with_file_field_and_remedy(
    what: str, commands: Commands
) -> None:
    fault = FAULTS[what]
    content = good(fault.layout)
    fault.change(content)
    path = write(commands.folder / "bad.h5", content)
    for command in fault.commands:
        error = commands.call(command, path).exception
        assert isinstance(error, DataError), (command, error)
        assert str(error).startswith(f"{path}: {fault.says}"), (command, str(error))
        assert "; " in str(error).removeprefix(str(path))
        assert "\n" not in str(error)
        assert str(error).count(str(path)) == 1
        assert not (commands.folder / "out").exists()


@pytest.mark.parametrize("layout", [OURS, THEIRS])
@pytest.mark.parametrize("share", [0, 0.02, 0.5, 0.97])
def test_a_file_cut_short_is_one_error(
    share: float, layout: str, commands: Commands
) -> None:
    path = write(commands.folder / "cut.h5", good(layout))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    for command in READING:
        error = commands.call(command, path).exception
        assert isinstance(error, DataError), (command, error)
        if command != "index build":  # which takes what is no features file for a manifest
            assert f"{path}: not a readable HDF5 file (" in str(error)
            assert str(error).endswith("; copy or make it again")
        assert "\n" not in str(error)


@pytest.mark.parametrize("command", ["fit", "sweep"])
def test_fewer_items_than_components_are_one_error(
    command: str, commands: Commands
) -> None:
    content = good(OURS)
    for modality in ("audio", "visual"):
        split = ["train"] * 4 + ["val"] * (TRAIN - 4) + ["test"] * TEST
        content |= {f"{modality}/split": split, f"{modality}/group": [""] * len(split)}
        content[f"{modality}/label"] = [f"class{n % 2}" for n in range(len(split))]
    path = write(commands.folder / "few.h5", content)
    app, arguments = commands.arguments(command, path)
    settings = ["--set", "k=5"] if command == "fit" else ["--set", "ridge=1"]
    arguments = [a.replace("k=1,2", "k=5") for a in arguments] + settings
    error = CliRunner().invoke(app, arguments).exception
    assert isinstance(error, DataError)
    assert str(error) == (
        f"{path}: field audio/features (audio_train): 4 training items cannot determine "
        "k=5 components; set k to 4 or less"
    )


@pytest.mark.slow
def test_at_a_terminal_it_is_one_line_and_a_status(tmp_path: Path) -> None:
    content = good(THEIRS)
    FAULTS["NaN, theirs"].change(content)
    path = write(tmp_path / "bad.h5", content)
    command = [*("fit", "--method", "cca"), *("--data", path, "--out", tmp_path / "run")]
    done = subprocess.run(
        [sys.executable, "-m", "training", *map(str, command)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: {path}: field visual_test: row 0 is not finite")
