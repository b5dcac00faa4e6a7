"""Tables of what a command found, for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

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
