"""``prepare`` from a folder: a file that `fit` can use without another word."""

import wave
from collections import Counter
from pathlib import Path

import numpy as np
import typer
from typer.testing import CliRunner

from crossmodal.features import read_features
from crossmodal.modality import Modality
from training.commands.prepare import prepare

RATE = 16_000


def write_noise(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = np.random.default_rng(seed).integers(-9000, 9000, RATE // 2, dtype="<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.tobytes())


def test_clips_of_a_folder_are_dealt_to_train_and_test(tmp_path: Path) -> None:
    for number, label in enumerate(["bell"] * 4 + ["rain"] * 4):
        write_noise(tmp_path / "clips" / "audio" / label / f"{number}.wav", number)
    app = typer.Typer()
    app.command()(prepare)
    out = tmp_path / "mine.h5"
    arguments = [str(tmp_path / "clips"), "--frontend", "audio=logmel", "--out", str(out)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "no clip has a split" in result.stderr
    rows = read_features(out).modalities[Modality.AUDIO]
    dealt = Counter(zip(rows.label, rows.split, strict=True))
    assert dealt == {
        ("bell", "train"): 3,
        ("bell", "test"): 1,
        ("rain", "train"): 3,
        ("rain", "test"): 1,
    }
