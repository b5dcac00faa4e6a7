"""Pickle canaries: wherever a file is opened, one that would run code runs none."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import SafetensorError

from crossmodal.bundle import Bundle
from crossmodal.errors import BundleError, ConfigError, CrossmodalError, DataError
from crossmodal.features import FeaturesFile, read_features, table, write_features
from crossmodal.modality import Modality
from index.build import build
from index.collection import Collection
from service.http.arrays import parse_npy
from service.problems import ProblemError
from training.run import CHECKPOINT, FitRequest, Run, fit

FORMS = ("protocol 0", "protocol 2", "protocol 5", "torch archive", "object npy", "npz")


class Canary:
    """Makes a file as soon as anything unpickles it."""

    def __init__(self, nest: Path) -> None:
        self.nest = nest

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (self.nest,)


@pytest.fixture
def nest(tmp_path: Path) -> Path:
    return tmp_path / "nest"


@pytest.fixture(params=FORMS)
def canary(request: pytest.FixtureRequest, nest: Path) -> bytes:
    """A file that touches the nest if it is unpickled, in one of its forms."""
    kind, _, protocol = request.param.partition(" ")
    if kind == "protocol":
        return pickle.dumps(Canary(nest), protocol=int(protocol))
    file = io.BytesIO()
    if request.param == "torch archive":
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("archive/data.pkl", pickle.dumps(Canary(nest), protocol=2))
            archive.writestr("archive/version", "3\n")
        return file.getvalue()
    array = np.empty(1, dtype=object)
    array[0] = Canary(nest)
    if request.param == "object npy":
        np.save(file, array, allow_pickle=True)
    else:
        np.savez(file, features=array)
    return file.getvalue()


def test_the_canaries_sing_where_they_are_let(canary: bytes, nest: Path) -> None:
    if canary[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(canary)) as archive:
            name = next(n for n in archive.namelist() if n.endswith((".pkl", ".npy")))
            canary = archive.read(name)
    if canary[:6] == b"\x93NUMPY":
        np.load(io.BytesIO(canary), allow_pickle=True)
    else:
        pickle.loads(canary)
    assert nest.exists()


def test_features_of_a_request(canary: bytes, nest: Path) -> None:
    with pytest.raises(ProblemError) as caught:
        parse_npy(canary)
    assert caught.value.code == "bad-vector"
    assert not nest.exists()


def test_a_features_file(canary: bytes, nest: Path, tmp_path: Path) -> None:
    path = tmp_path / "features.h5"
    path.write_bytes(canary)
    with pytest.raises(DataError):
        read_features(path)
    assert not nest.exists()


@pytest.mark.parametrize("name", ["manifest.json", "audio.onnx"])
def test_a_bundle(
    canary: bytes, nest: Path, name: str, tiny_bundle: Callable[..., Path]
) -> None:
    directory = tiny_bundle()
    (directory / name).write_bytes(canary)
    with pytest.raises(BundleError):
        Bundle.open(directory)
    if name != "manifest.json":  # and where whoever swapped it mended the checksum, too
        manifest = json.loads((directory / "manifest.json").read_text())
        manifest["files"][name] = hashlib.sha256(canary).hexdigest()
        (directory / "manifest.json").write_text(json.dumps(manifest))
        with pytest.raises(BundleError):
            Bundle.open(directory).encoder(Modality.AUDIO)
    assert not nest.exists()


def features(rows: int = 40) -> FeaturesFile:
    rng = np.random.default_rng(0)
    ids = [f"clip{number:02}" for number in range(rows)]
    split = ["train", "train", "val", "test"] * (rows // 4)
    tables: Mapping[Modality, Any] = {
        modality: table(
            rng.standard_normal((rows, 6)).astype(np.float32),
            id=ids,
            label=[str(number // 4 % 2) for number in range(rows)],
            split=split,
            pair=ids,
        )
        for modality in (Modality.AUDIO, Modality.VISUAL)
    }
    return FeaturesFile("made", tables)


def test_index_files(
    canary: bytes, nest: Path, tmp_path: Path, tiny_bundle: Callable[..., Path]
) -> None:
    write_features(tmp_path / "features.h5", features())
    data = tmp_path / "data"
    build(tiny_bundle(), tmp_path / "features.h5", data, workers=1)
    current = data / "index" / "CURRENT"
    manifest = json.loads(current.read_text())
    base = manifest["bases"]["audio"]
    (data / "index" / base["file"]).write_bytes(canary)
    base |= {"sha256": hashlib.sha256(canary).hexdigest(), "bytes": len(canary)}
    current.write_text(json.dumps(manifest))
    for content in (None, canary):
        if content is not None:
            current.write_bytes(content)
        with Collection.open(data) as collection:
            assert collection.degraded
            assert len(collection.view.items) == 40
    (data / "items.db").write_bytes(canary)
    with pytest.raises(CrossmodalError):
        Collection.open(data)
    assert not nest.exists()


def test_a_checkpoint(canary: bytes, nest: Path, tmp_path: Path) -> None:
    data = features()
    write_features(tmp_path / "features.h5", data)
    request = FitRequest(data=tmp_path / "features.h5", method="random", overrides={})
    run = fit(request, data, tmp_path / "run", lambda values: None)
    (run.directory / CHECKPOINT).write_bytes(canary)
    with pytest.raises((SafetensorError, CrossmodalError)):
        run.towers()
    (run.directory / "config.json").write_bytes(canary)
    with pytest.raises(ConfigError):
        Run.open(run.directory)
    assert not nest.exists()
