"""``methods`` and ``frontends``: what there is to choose from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from crossmodal import console
from crossmodal.errors import FrontEndError
from crossmodal.frontends.catalog import FRONTENDS, FrontEndCard
from crossmodal.frontends.weights import fetch_weights, find_weights, weights_directory
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
        weights = FRONTENDS[name].weights
        if weights is None:
            raise FrontEndError(f"{name} needs no weights")
        print(fetch_weights(weights, weights_directory()))
        return
    if action is not None:
        raise typer.BadParameter("expected nothing, or: fetch NAME")
    rows = [
        {
            "name": card.name,
            "modality": card.modality.value,
            "weights": _weights_state(card),
            "about": card.summary,
        }
        for card in FRONTENDS.values()
    ]
    _print(rows, format)
    console.note(
        f"weights are looked for in {weights_directory()}; EARSHOT_WEIGHTS names another"
    )


def _weights_state(card: FrontEndCard) -> str:
    if card.weights is None:
        return "none needed"
    found = find_weights(card.weights, weights_directory())
    return str(found) if found else f"absent; frontends fetch {card.name}"


def _print(rows: Sequence[Mapping[str, object]], format: console.Format) -> None:
    if format is console.Format.JSON:
        console.print_json(rows)
        return
    table = Table(*rows[0])
    for row in rows:
        cells = (", ".join(v) if isinstance(v, list) else str(v) for v in row.values())
        table.add_row(*cells)
    Console(width=None if Console().is_terminal else 130).print(table)
