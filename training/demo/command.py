"""``demo``: the demo corpus, or made-up features, from the command line."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from crossmodal import console
from crossmodal.errors import ConfigError
from crossmodal.features import write_features
from crossmodal.literature import write_literature
from training.config import override, parse_settings
from training.datasets.shapes import SHAPES
from training.demo.corpus import write_demo
from training.demo.features import Difficulty, make_features
from training.demo.steps import over_time

CLIPS = 400


class Layout(StrEnum):
    """Which fields a features file has."""

    OURS = "ours"
    LITERATURE = "literature"


WRITERS = {Layout.OURS: write_features, Layout.LITERATURE: write_literature}


def demo(
    out: Annotated[Path, typer.Option(help="Directory, or features file, to write.")],
    clips: Annotated[
        int | None, typer.Option(help="How many clips, over all classes; default 400.")
    ] = None,
    seed: Annotated[int, typer.Option(help="What all chance follows from.")] = 0,
    workers: Annotated[
        int | None, typer.Option(help="How many processes; default: one per core.")
    ] = None,
    features: Annotated[
        str | None,
        typer.Option(help=f"Make up features shaped as {', '.join(SHAPES)} instead."),
    ] = None,
    items: Annotated[
        int | None, typer.Option(help="Fewer pairs than the set has (with --features).")
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(help="Give items 2 to so many steps over time (with --features)."),
    ] = None,
    layout: Annotated[
        Layout, typer.Option(help="Fields of the file (with --features).")
    ] = Layout.OURS,
    set: Annotated[
        list[str] | None,
        typer.Option(
            help="KEY=VALUE, how hard the features are: audio_separation, "
            "visual_separation, modes, factors, pair_correlation, nuisance, label_noise."
        ),
    ] = None,
) -> None:
    """Write the demo corpus: clips with picture and sound, and their manifest.

    With --features, write a features file of a public set's exact sizes instead.
    """
    if features is not None:
        if clips is not None:
            raise ConfigError("--clips is for the corpus; say --items with --features")
        _write_features(out, features, items, steps, layout, set or [], seed)
        return
    if items is not None or steps is not None or set or layout is not Layout.OURS:
        raise ConfigError("--items, --steps, --layout and --set need --features")
    count = CLIPS if clips is None else clips
    with console.progress("making clips", count) as advance:
        manifest = write_demo(
            out,
            clips=count,
            seed=seed,
            workers=workers,
            progress=lambda done, total: advance(),
        )
    print(manifest)


def _write_features(
    out: Path,
    name: str,
    items: int | None,
    steps: int | None,
    layout: Layout,
    pairs: list[str],
    seed: int,
) -> None:
    if name not in SHAPES:
        raise ConfigError(f"--features {name}: expected one of {', '.join(SHAPES)}")
    if out.is_dir():
        raise ConfigError(f"--out {out}: is a directory; with --features name a file")
    difficulty = override(Difficulty(), parse_settings(pairs))
    data = make_features(SHAPES[name], difficulty, seed=seed, items=items)
    if steps is not None:
        data = over_time(data, steps, seed=seed)
    out.parent.mkdir(parents=True, exist_ok=True)
    WRITERS[layout](out, data)
    for modality, rows in data.modalities.items():
        test = int((rows.split == "test").sum())
        width = rows.features.shape[-1]
        time = f"up to {rows.steps} steps of " if rows.timed else ""
        console.note(f"{modality}: {len(rows) - test} + {test} items, {time}{width} wide")
    print(out)
