"""The console: data on stdout, progress and one-line errors on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from crossmodal.errors import CollectionLockedError, ConfigError, CrossmodalError

FAILURE, USAGE, LOCKED = 1, 2, 3


class Format(StrEnum):
    """How a command prints its data."""

    TABLE = "table"
    JSON = "json"


def note(message: str) -> None:
    """Print one line for the person at the terminal, on stderr."""
    Console(stderr=True, soft_wrap=True, highlight=False).print(message, markup=False)


def print_json(value: Any) -> None:
    """Print one JSON value on stdout."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


@contextmanager
def progress(description: str, total: int) -> Iterator[Callable[[], None]]:
    """Yield a function that advances a bar by one; no bar where stderr is no terminal."""
    console = Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    if not console.is_terminal:
        note(f"{description}: {total}")
    with bar:
        task = bar.add_task(description, total=total)
        yield lambda: bar.advance(task)


def run(app: typer.Typer) -> None:
    """Run a command-line application; our own errors become one line and a status.

    Exit status: 0 done, 1 failure, 2 wrong usage or setting, 3 data directory in use.
    """
    try:
        app()
    except CollectionLockedError as error:
        _stop(error, LOCKED)
    except ConfigError as error:
        _stop(error, USAGE)
    except CrossmodalError as error:
        _stop(error, FAILURE)
    except KeyboardInterrupt:
        note("stopped")
        sys.exit(130)


def _stop(error: Exception, status: int) -> None:
    note(f"error: {error}")
    sys.exit(status)
