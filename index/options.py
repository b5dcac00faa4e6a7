"""Options that several commands of ``python -m index`` share, each worded once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crossmodal.console import Format
from index.galleries.kinds import AUTO, KINDS, BaseSettings

Data = Annotated[Path, typer.Argument(metavar="DIR", help="Data directory.")]
FormatOption = Annotated[Format, typer.Option("--format", help="How to print.")]
FeaturesOption = Annotated[
    Path | None,
    typer.Option(help="Features of the clips, as prepared; saves decoding, brings splits."),
]
SplitOption = Annotated[str, typer.Option(help="train, val, test or all.")]
WorkersOption = Annotated[
    int | None, typer.Option(min=1, help="Clips embedded at a time; one per core.")
]
MediaOption = Annotated[bool, typer.Option(help="Copy the media, to play results.")]
KindOption = Annotated[
    str,
    typer.Option(
        "--index-kind",
        envvar="EARSHOT_INDEX_KIND",
        help=f"{', '.join(KINDS)}, or {AUTO}: by vectors and memory.",
    ),
]
MemoryOption = Annotated[
    int,
    typer.Option(
        "--index-memory",
        envvar="EARSHOT_INDEX_MEMORY",
        min=0,
        help="Bytes that all galleries may take; 0: half of the machine's.",
    ),
]
RecallOption = Annotated[
    float,
    typer.Option(
        "--index-recall",
        envvar="EARSHOT_INDEX_RECALL",
        help="The part of the ten best that an index must find to be used.",
    ),
]


def base_settings(kind: str, memory: int, recall: float) -> BaseSettings:
    """Return what decides the kind of a base.

    Raises:
        ConfigError: If there is no such kind, or the recall is not in (0, 1].
    """
    return BaseSettings(kind=kind, memory_bytes=memory or None, recall=recall)
