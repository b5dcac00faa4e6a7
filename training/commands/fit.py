"""``fit``: train one method and score it once on the test split."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from crossmodal import console
from crossmodal.errors import ConfigError
from crossmodal.features import read_features
from training.commands.evaluate import print_card
from training.config import parse_settings
from training.per_direction import place_of, requests_of
from training.protocol.evaluate import evaluate_run, together
from training.run import FitRequest
from training.run import fit as fit_run


class Device(StrEnum):
    """Where to train; auto takes a GPU if one is usable."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


class Preset(StrEnum):
    """Whose settings: the paper's, the published code's, or ours."""

    PAPER = "paper"
    AS_CODED = "as_coded"
    TUNED = "tuned"


def fit(
    data: Annotated[Path, typer.Option(help="Features file.")],
    method: Annotated[str, typer.Option(help="A name that `methods` lists.")],
    out: Annotated[Path, typer.Option(help="Run directory to write.")],
    preset: Annotated[Preset, typer.Option(help="Which settings to start from.")] = (
        Preset.TUNED
    ),
    set: Annotated[
        list[str] | None, typer.Option(help="KEY=VALUE; fixes a setting; repeatable.")
    ] = None,
    device: Annotated[Device, typer.Option(help="Where to train.")] = Device.AUTO,
    seed: Annotated[int, typer.Option(help="Seed of everything drawn by chance.")] = 0,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where this fit was interrupted.")
    ] = False,
) -> None:
    """Fit one method; choices are made on validation, the test split is scored once.

    Settings that ask for a model per direction give a run in a folder of each.
    """
    request = FitRequest(
        data=data,
        method=method,
        preset=preset.value,
        overrides=parse_settings(set or []),
        seed=seed,
        device=resolve_device(device),
    )
    features = read_features(data)
    stderr = Console(stderr=True)
    spinner = Progress(
        SpinnerColumn(),
        TextColumn("Fitting {task.fields[method]}  {task.description}"),
        TimeElapsedColumn(),
        console=stderr,
        disable=not stderr.is_terminal,
    )
    if not stderr.is_terminal:
        console.note(f"Fitting {method}")
    evaluations = []
    with spinner:
        for one in requests_of(request, features):
            place = place_of(out, one)
            name = f"{method} {one.direction or ''}".rstrip()
            task = spinner.add_task("", method=name, total=None)
            run = fit_run(
                one,
                features,
                place,
                lambda values, task=task: spinner.update(task, description=_line(values)),
                resume=resume,
            )
            evaluation = evaluate_run(run, features)
            evaluation.write(place)
            evaluations.append(evaluation)
    print_card(together(evaluations))
    print(out)


def resolve_device(device: Device) -> str:
    """Return ``cpu`` or ``cuda``.

    Raises:
        ConfigError: If a GPU was asked for and none is usable.
    """
    usable = torch.cuda.is_available()
    if device is Device.CUDA and not usable:
        raise ConfigError("--device cuda: torch sees no usable GPU")
    return "cuda" if usable and device is not Device.CPU else "cpu"


def _line(values: Mapping[str, Any]) -> str:
    shown = [
        f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}"
        for key, value in values.items()
        if isinstance(value, int | float | str)
    ]
    return "  ".join(shown)
