"""``methods`` and ``frontends``: what there is to choose from."""

from __future__ import annotations

from typing import Annotated

import typer
from crossmodal.frontends.catalog import FRONTENDS, fetch_weights, weights_state
from rich.console import Console
from rich.table import Table

from crossmodal import console
from crossmodal.errors import FrontEndError
from training.methods.catalog import METHODS


def methods(
    format: Annotated[console.Format, typer.Option(help="How to print.")] = (
        console.Format.TABLE
    ),
) -> None:
    """List the methods with source and supervision."""
    rows = [
        {
            "name": card.name,
            "title": card.title,
            "supervision": card.supervision,
            "presets": list(method.presets),
            "source": card.source,
        }
        for method in METHODS.values()
        for card in [method.card]
    ]
    _print(rows, format)


def frontends(
    action: Annotated[str | None, typer.Argument(help="fetch, or nothing to list.")] = None,
    name: Annotated[str | None, typer.Argument(help="Whose weights to fetch.")] = None,
    format: Annotated[console.Format, typer.Option(help="How to print.")] = (
        console.Format.TABLE
    ),
) -> None:
    """List the front ends and whether their weights are at hand, or fetch weights."""
    if action == "fetch" and name:
        if name not in FRONTENDS:
            raise FrontEndError(f"{name}: expected one of {', '.join(FRONTENDS)}")
        print(fetch_weights(name))
        return
    if action is not None:
        raise typer.BadParameter("expected nothing, or: fetch NAME")
    rows = [
        {
            "name": card.name,
            "modality": card.modality.value,
            "dim": card.dim,
            "weights": weights_state(card.name),
            "about": card.about,
        }
        for card in FRONTENDS.values()
    ]
    _print(rows, format)


def _print(rows: list[dict[str, object]], format: console.Format) -> None:
    if format is console.Format.JSON:
        console.print_json(rows)
        return
    table = Table(*rows[0])
    for row in rows:
        cells = (", ".join(v) if isinstance(v, list) else str(v) for v in row.values())
        table.add_row(*cells)
    Console(width=None if Console().is_terminal else 130).print(table)
