"""``sweep``: one method over declared values of its settings."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from crossmodal import console
from crossmodal.features import read_features
from training.commands.fit import Device, Preset, resolve_device
from training.config import parse_settings
from training.protocol.sweep import SweepRequest, parse_varied, run_sweep
from training.report.report import write_sweep_report

NAME = "sweep.html"


class ScoredOn(StrEnum):
    """Which rows a sweep is scored on."""

    VAL = "val"
    TEST = "test"


def sweep(
    data: Annotated[Path, typer.Option(help="Features file.")],
    method: Annotated[str, typer.Option(help="A name that `methods` lists.")],
    vary: Annotated[list[str], typer.Option(help="KEY=V1,V2,…; repeatable: all pairs.")],
    out: Annotated[Path, typer.Option(help="Directory; finished fits are reused.")],
    preset: Annotated[Preset, typer.Option(help="Settings to start from.")] = Preset.TUNED,
    set: Annotated[list[str] | None, typer.Option(help="KEY=VALUE; repeatable.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Fits of each combination.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="The first seed.")] = 0,
    split: Annotated[
        ScoredOn, typer.Option(help="Rows to score; test only to redraw a paper's figure.")
    ] = ScoredOn.VAL,
    device: Annotated[Device, typer.Option(help="Where to train.")] = Device.AUTO,
) -> None:
    """Fit a method with every combination of the values given and draw the scores.

    Settings that are neither varied nor set stay as the preset has them.
    """
    request = SweepRequest(
        data=data,
        method=method,
        preset=preset.value,
        varied=parse_varied(vary),
        overrides=parse_settings(set or []),
        seeds=tuple(range(seed, seed + seeds)),
        split=split.value,
        device=resolve_device(device),
    )
    with console.progress(f"Fitting {method}", request.fits) as advance:
        found = run_sweep(request, read_features(data), out, advance)
    write_sweep_report(found, out / NAME)
    print(out / NAME)
