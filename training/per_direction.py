"""A model per direction: a fit of several runs side by side, each for one direction.

Some presets train one model for searches from sound and another for those from pictures.
Such a fit is a folder with a run under each direction's name, ``audio2visual`` and
``visual2audio``, and so is what is exported of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from crossmodal.errors import ConfigError, ModalityError
from crossmodal.features import FeaturesFile
from crossmodal.modality import parse_direction
from training.config import override
from training.data import class_names
from training.methods.catalog import method_named, preset_of
from training.methods.division import models_of
from training.methods.method import Problem
from training.run import CONFIG, FitRequest, Run


def requests_of(request: FitRequest, data: FeaturesFile) -> list[FitRequest]:
    """Return the request, or one per direction where its settings ask for such models.

    Raises:
        ConfigError: If method, preset or a setting is unknown or out of range.
    """
    method = method_named(request.method)
    settings = override(preset_of(method, request.preset), request.overrides)
    dims = {m: table.features.shape[-1] for m, table in data.modalities.items()}
    problem = Problem(dims, len(class_names(data)))
    return [
        replace(request, direction=way, overrides={**request.overrides, **changes})
        for way, changes in models_of(method, settings, problem)
    ]


def place_of(out: Path, request: FitRequest) -> Path:
    """Return where a request's run goes: the folder, or that of its direction inside.

    Raises:
        ConfigError: If the folder holds something else than runs of directions.
    """
    if request.direction is None:
        return out
    others = [p for p in out.iterdir() if not _is_direction(p)] if out.exists() else []
    if others:
        raise ConfigError(
            f"{out}: holds something else than one run per direction; choose another --out"
        )
    return out / str(request.direction)


def open_runs(directory: Path) -> Sequence[Run]:
    """Open the run in a folder, or those of its directions.

    Raises:
        ConfigError: If it holds neither.
    """
    folders = sorted(directory.iterdir()) if directory.is_dir() else []
    runs = [path for path in folders if _is_direction(path) and (path / CONFIG).is_file()]
    if runs and not (directory / CONFIG).is_file():
        return [Run.open(path) for path in runs]
    return [Run.open(directory)]


def _is_direction(path: Path) -> bool:
    try:
        return str(parse_direction(path.name)) == path.name
    except ModalityError:
        return False
