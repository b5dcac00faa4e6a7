"""``demo``: the demo corpus from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crossmodal import console
from training.demo.corpus import write_demo


def demo(
    out: Annotated[Path, typer.Option(help="Directory to write to.")],
    clips: Annotated[int, typer.Option(help="How many clips, over all classes.")] = 400,
    seed: Annotated[int, typer.Option(help="What all chance follows from.")] = 0,
    workers: Annotated[
        int | None, typer.Option(help="How many processes; default: one per core.")
    ] = None,
) -> None:
    """Write the demo corpus: clips with picture and sound, and their manifest."""
    with console.progress("making clips", clips) as advance:
        manifest = write_demo(
            out,
            clips=clips,
            seed=seed,
            workers=workers,
            progress=lambda done, total: advance(),
        )
    print(manifest)
