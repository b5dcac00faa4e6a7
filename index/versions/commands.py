"""Commands by which a data directory passes to another bundle, and back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from crossmodal import console
from crossmodal.console import Format
from index.jobs.following import have_done
from index.options import Data, FormatOption
from index.versions.here import do_here
from index.versions.laying import lay_beside
from index.work import DISCARD, REEMBED, SWITCH

Served = Annotated[
    bool, typer.Option("--served", help="Let the service that holds DIR do it, as a job.")
]


def reembed(
    directory: Data,
    bundle: Annotated[
        Path | None, typer.Option(help="The other bundle; not needed to go on.")
    ] = None,
    workers: Annotated[
        int, typer.Option(min=1, help="Clips embedded at a time; searches go on.")
    ] = 1,
    served: Served = False,
    output: FormatOption = Format.TABLE,
) -> None:
    """Embed the media of DIR by another bundle, beside the vectors that are in use.

    DIR is searched and written to meanwhile, with --served. After an interruption the
    same command goes on where it was, as often as wanted: what was written since is
    embedded too. ``switch`` then serves the other bundle, ``discard`` removes it.
    """
    if bundle is not None:
        lay_beside(directory, bundle)
    told = _done(directory, REEMBED, {"workers": workers}, served)
    for skipped in told["skipped"]:
        console.note(f"left out {skipped['item_id']}: {skipped['reason']}")
    _print(
        directory,
        told,
        f"{told['embedded']} items embedded, {told['left_out']} cannot be",
        output,
    )


def switch(
    directory: Data,
    partial: Annotated[
        bool,
        typer.Option("--partial", help="Leave items that cannot be embedded unsearched."),
    ] = False,
    served: Served = False,
    output: FormatOption = Format.TABLE,
) -> None:
    """Serve the bundle beside from now on, in one step; again, to go back.

    What is not embedded yet is embedded first. With --served, requests under way end with
    the bundle that they began with; what they would still store is to be sent again.
    """
    told = _done(directory, SWITCH, {"partial": partial}, served)
    _print(directory, told, f"model {told['model_id']} is served", output)


def discard(
    directory: Data, served: Served = False, output: FormatOption = Format.TABLE
) -> None:
    """Remove the bundle beside the one in use, and its vectors."""
    told = _done(directory, DISCARD, {}, served)
    _print(directory, told, f"{told['vectors']} vectors removed", output)


def _done(
    directory: Path, kind: str, params: Mapping[str, Any], served: bool
) -> Mapping[str, Any]:
    if not served:
        return do_here(directory, kind, params, progress=console.progress)
    return have_done(
        directory, kind, params, progress=console.progress, waiting=console.note
    )


def _print(directory: Path, told: Mapping[str, Any], text: str, output: Format) -> None:
    if output is Format.JSON:
        console.print_json({**told, "data": str(directory)})
        return
    console.note(text)
    print(directory)
