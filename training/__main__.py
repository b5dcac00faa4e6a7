"""``python -m training``: from a data set to an exported bundle."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from crossmodal import console

COMMANDS = {
    "demo": "training.demo.command",
    "fetch": "training.commands.fetch",
    "prepare": "training.commands.prepare",
    "methods": "training.commands.listings",
    "frontends": "training.commands.listings",
    "fit": "training.commands.fit",
    "compare": "training.commands.compare",
    "sweep": "training.commands.sweep",
    "report": "training.commands.report",
    "evaluate": "training.commands.evaluate",
    "export": "training.commands.export",
}
"""The commands and the modules that hold a function of that name."""


class Commands(TyperGroup):
    """Imports a command when it is called: reading media should not wait for torch."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names in the order of the flow."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, name: str) -> TyperCommand | None:
        """Return the command of that name; None if there is none."""
        if name not in COMMANDS:
            return None
        holder = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
        holder.command(name)(getattr(import_module(COMMANDS[name]), name))
        command: TyperCommand = typer.main.get_command(holder)  # type: ignore[assignment]
        return command


app = typer.Typer(cls=Commands, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def training() -> None:
    """Prepare data, fit methods, evaluate runs and export bundles."""


if __name__ == "__main__":
    console.run(app)
