"""Tables of what a command found, for people."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from crossmodal import console
from crossmodal.console import Format

SHOWN_NAMES = 12


def print_table(rows: Mapping[str, str]) -> None:
    """Print names and what is said of each."""
    table = Table(box=None, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in rows.items():
        table.add_row(name.replace("_", " "), Text(text))
    Console(highlight=False).print(table)


def in_words(value: Any) -> str:
    """Return a JSON value in words; of a long mapping the first few names."""
    if isinstance(value, Mapping):
        names = list(value)
        shown = [f"{name} {in_words(value[name])}" for name in names[:SHOWN_NAMES]]
        more = len(names) - len(shown)
        return ", ".join(shown + [f"{more} more"] * (more > 0)) or "-"
    return "-" if value is None else str(value)


def print_added(data: Path, told: Mapping[str, Any], output: Format) -> None:
    """Print what adding to a data directory came to."""
    for skip in told["skipped"]:
        console.note(f"skipped {skip['item_id']}: {skip['reason']}")
    if output is Format.JSON:
        console.print_json({**told, "data": str(data)})
        return
    console.note(
        f"{told['added']} items added, {told['replaced']} replaced, {told['existing']} "
        f"were there, {told['left_out']} left out, in {told['seconds']:.1f} s"
    )
    print(data)
