"""Runs: the directory in which one fit keeps all it was and all it gave.

``config.json`` names method, settings, data and seed; ``checkpoint.safetensors`` holds the
towers; ``<modality>.onnx`` are the same towers as they will be served, and what evaluation
runs; ``metrics.jsonl`` has a line per epoch, ``evaluation.json`` the card.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from crossmodal.durable import sha256_file, write_bytes, write_json
from crossmodal.embeddings import Embeddings
from crossmodal.encoder import Encoder, OnnxEncoder
from crossmodal.errors import ConfigError, DataError
from crossmodal.faults import naming
from crossmodal.features import FeaturesFile
from crossmodal.frontends.frontend import FrontEndSpec, parse_spec
from crossmodal.modality import Direction, Modality, parse_direction, parse_modality
from training.checks import check_scored, check_training_file
from training.data import class_names, training_data
from training.environment import environment
from training.export import example, graph_of
from training.fitting.checkpoints import Checkpoints
from training.methods.catalog import METHODS, method_named
from training.methods.method import MethodCard, Problem
from training.protocol.selection import Fitted, check_items, fit_method, restore
from training.protocol.splits import with_validation

CONFIG, CHECKPOINT, EPOCHS = "config.json", "checkpoint.safetensors", "metrics.jsonl"
PARTIAL = "partial"  # what an interrupted fit goes on from


@dataclass(frozen=True, slots=True, kw_only=True)
class FitRequest:
    """What one fit is asked for.

    Attributes:
        data: Features file.
        method: Method.
        preset: Preset its settings start from.
        overrides: Settings given as text.
        seed: Of everything drawn.
        device: Where networks train.
        direction: The only direction the model is for; None for all.
    """

    data: Path
    method: str
    preset: str = "tuned"
    overrides: Mapping[str, str]
    seed: int = 0
    device: str = "cpu"
    direction: Direction | None = None


class TowerEncoder:
    """A tower as an encoder, for methods that have no graph; one row at a time."""

    def __init__(self, tower: torch.nn.Module, input_dim: int, dim: int) -> None:
        self._tower = tower.cpu().eval()
        self.input_dim = input_dim
        self.dim = dim

    def embed(self, features: np.ndarray) -> Embeddings:
        """Return one unit-norm embedding per row, in order."""
        with torch.inference_mode():
            rows = [self._tower(torch.from_numpy(row[None])) for row in features]
        embeddings: np.ndarray = torch.cat(rows).numpy()
        return embeddings


@dataclass(frozen=True, slots=True)
class Run:
    """A finished fit, opened."""

    directory: Path
    config: Mapping[str, Any]

    @classmethod
    def open(cls, directory: Path) -> Run:
        """Read a run's configuration.

        Raises:
            ConfigError: If the directory holds no run.
        """
        try:
            return cls(directory, json.loads((directory / CONFIG).read_text()))
        except (OSError, ValueError) as error:
            raise ConfigError(f"{directory}: no {CONFIG}; is it a run?") from error

    @property
    def problem(self) -> Problem:
        """Input widths and number of classes."""
        dims = {parse_modality(m): dim for m, dim in self.config["problem"]["dims"].items()}
        return Problem(dims=dims, classes=self.config["problem"]["classes"])

    @property
    def card(self) -> MethodCard:
        """The method's card."""
        return method_named(self.config["method"]).card

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names in order."""
        return tuple(self.config["classes"])

    @property
    def direction(self) -> Direction | None:
        """The only direction across modalities it was trained for; None for all."""
        name = self.config.get("direction")
        return None if name is None else parse_direction(name)

    def serves(self, direction: Direction) -> bool:
        """Whether it was trained to search so; inside a modality every run does."""
        return direction.within or self.direction in (None, direction)

    @property
    def same_modality_mask(self) -> tuple[int, ...]:
        """Dimensions set to zero in the query of a same-modality search."""
        return tuple(self.config["same_modality_mask"])

    @property
    def frontends(self) -> dict[Modality, FrontEndSpec | None]:
        """Each modality's front end, None where features came ready made."""
        return {
            parse_modality(m): None if value is None else parse_spec(value)
            for m, value in self.config["data"]["frontends"].items()
        }

    def towers(self) -> Mapping[Modality, torch.nn.Module]:
        """Return the towers of the checkpoint."""
        return restore(
            self.config["method"],
            self.config["settings"],
            self.problem,
            load_file(self.directory / CHECKPOINT),
        )

    def graphs(self) -> dict[Modality, bytes]:
        """Return the exported graphs; empty for a method that has none."""
        return {
            modality: (self.directory / f"{modality}.onnx").read_bytes()
            for modality in self.problem.dims
            if (self.directory / f"{modality}.onnx").is_file()
        }

    def encoders(self) -> Mapping[Modality, Encoder]:
        """Return what evaluation runs: the exported graphs, or else the towers."""
        dims, dim = self.problem.dims, self.config["dim"]
        graphs = self.graphs()
        if graphs:
            return {
                m: OnnxEncoder(
                    graph,
                    input_dim=dims[m],
                    dim=dim,
                    name=f"{m}.onnx",
                    sequences=self.card.sequences,
                )
                for m, graph in graphs.items()
            }
        return {m: TowerEncoder(t, dims[m], dim) for m, t in self.towers().items()}


def fit(
    request: FitRequest,
    data: FeaturesFile,
    out: Path,
    log: Callable[..., None],
    *,
    resume: bool = False,
) -> Run:
    """Fit one method on the data's training rows and write the run directory.

    Args:
        request: Method, preset, settings and seed.
        data: The features file, read.
        out: The run directory; an earlier run there is replaced once this one is fitted.
        log: Called with a mapping per epoch.
        resume: Whether to go on where a fit of the same request was interrupted; a run
            that is finished is returned as it is.

    Raises:
        ConfigError: If method, preset or a setting is unknown or out of range, or the
            directory holds something else, or to resume, another fit.
        DataError: If a split is missing or a method lacks what it needs.
    """
    fingerprint = _fingerprint(request)
    if resume and (out / CONFIG).is_file() and not (out / PARTIAL).exists():
        run = Run.open(out)
        if run.config.get("fingerprint") != fingerprint:
            raise ConfigError(f"{out}: holds the run of another request; drop --resume")
        return run
    with naming(request.data):
        check_training_file(data)
        data = with_validation(data, seed=request.seed)
        classes = class_names(data.of_split("train"))
        train = training_data(data, "train", classes)
        validation = training_data(data, "val", classes)
        check_scored(data, "test")
        check_items(request.method, request.preset, request.overrides, train)
    _check_place(out)
    if not resume:
        shutil.rmtree(out / PARTIAL, ignore_errors=True)
    lines: list[str] = []

    def record(values: Mapping[str, Any]) -> None:
        lines.append(json.dumps(values))
        log(values)

    with naming(request.data):
        fitted = fit_method(
            request.method,
            request.preset,
            request.overrides,
            train,
            validation,
            seed=request.seed,
            device=request.device,
            log=record,
            checkpoints=Checkpoints(out / PARTIAL, fingerprint=fingerprint),
        )
    _clear(out)
    towers = {modality: tower.cpu().eval() for modality, tower in fitted.towers.items()}
    state = {
        f"{modality}.{name}": tensor.contiguous().clone()
        for modality, tower in towers.items()
        for name, tensor in tower.state_dict().items()
    }
    save_file(state, out / CHECKPOINT)
    write_bytes(out / EPOCHS, "".join(line + "\n" for line in lines).encode())
    card = METHODS[request.method].card
    if card.exportable:
        for modality, tower in towers.items():
            dim = fitted.problem.dims[modality]
            graph = graph_of(tower, dim, sequences=card.sequences)
            write_bytes(out / f"{modality}.onnx", graph)
    write_json(out / "environment.json", environment(request.device))
    paired = train.pairs is not None
    config = _config(request, data, fitted, towers, classes, paired=paired)
    write_json(out / CONFIG, config | {"fingerprint": fingerprint})
    shutil.rmtree(out / PARTIAL, ignore_errors=True)
    return Run.open(out)


def _fingerprint(request: FitRequest) -> str:
    """Return what decides a fit: the request, with the content of the data."""
    asked = asdict(request) | {"data": sha256_file(request.data)}
    return json.dumps(asked, sort_keys=True)


def _check_place(out: Path) -> None:
    """Check that what stands there, if anything, is a run or an interrupted fit."""
    old = list(out.iterdir()) if out.exists() else []
    if old and not (out / CONFIG).is_file() and old != [out / PARTIAL]:
        raise ConfigError(f"{out}: not empty and no run; choose another --out")


def _clear(out: Path) -> None:
    """Make the directory, and remove an earlier run from it, its configuration first."""
    out.mkdir(parents=True, exist_ok=True)
    (out / CONFIG).unlink(missing_ok=True)
    for path in out.iterdir():
        if path != out / PARTIAL:
            path.unlink()


def _config(
    request: FitRequest,
    data: FeaturesFile,
    fitted: Fitted,
    towers: Mapping[Modality, torch.nn.Module],
    classes: tuple[str, ...],
    *,
    paired: bool,
) -> dict[str, Any]:
    dims = fitted.problem.dims
    sequences = METHODS[request.method].card.sequences
    widths = {towers[m](example(dims[m], sequences=sequences)).shape[-1] for m in towers}
    if len(widths) != 1:
        raise DataError(f"the towers' embeddings differ in width: {sorted(widths)}")
    return {
        "method": request.method,
        "preset": request.preset,
        "direction": request.direction and str(request.direction),
        "settings": asdict(fitted.settings),
        "overrides": dict(request.overrides),
        "seed": request.seed,
        "device": request.device,
        "dim": widths.pop(),
        "problem": {
            "dims": {m.value: dims[m] for m in sorted(dims)},
            "classes": len(classes),
        },
        "classes": list(classes),
        "same_modality_mask": list(
            METHODS[request.method].same_modality_mask(fitted.settings, fitted.problem)
        ),
        "fit_split": fitted.fit_split,
        "selection": fitted.selection,
        "train_seconds": fitted.train_seconds,
        "parameters": sum(p.numel() for t in towers.values() for p in t.parameters()),
        "data": {
            "name": data.name,
            "path": str(request.data),
            "sha256": sha256_file(request.data),
            "frontends": {
                m.value: None if table.frontend is None else asdict(table.frontend)
                for m, table in data.modalities.items()
            },
            "counts": {
                m.value: {
                    split: int((table.split == split).sum())
                    for split in ("train", "val", "test")
                }
                for m, table in data.modalities.items()
            },
            "paired": paired,
        },
    }
