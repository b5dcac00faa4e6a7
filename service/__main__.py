"""Command line of the service: serve, doctor, key."""

from __future__ import annotations

import logging
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from crossmodal.errors import CrossmodalError
from crossmodal.memory import keep_little
from service.access.keys import Role, new_key
from service.settings import read_settings, unknown_variables
from service.threads import take_short_turns, use_one_thread_per_call

app = typer.Typer(
    help="Serve a collection over HTTP.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
Host = Annotated[str | None, typer.Option(help="Default: EARSHOT_HOST, loopback.")]
Port = Annotated[int | None, typer.Option(help="Default: EARSHOT_PORT, 8000.")]
Data = Annotated[
    Path | None, typer.Option(help="The data directory; default: EARSHOT_DATA.")
]


class RoleName(StrEnum):
    """The roles as written on the command line."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


@app.command()
def serve(data: Data = None, host: Host = None, port: Port = None) -> None:
    """Serve a data directory over HTTP."""
    use_one_thread_per_call()
    take_short_turns()
    try:
        settings = read_settings(data=data, host=host, port=port)
        settings.check_host()
        settings.data_directory()  # before anything is loaded
    except CrossmodalError as error:
        typer.echo(f"cannot serve: {error}", err=True)
        raise typer.Exit(1) from None
    keep_little()
    # only now what takes half a second to load
    from service.app import create_app
    from service.serving import run
    from service.watching.logs import configure_logging, event

    configure_logging(settings.log_level)
    for name in unknown_variables():
        event("a variable means nothing here", level=logging.WARNING, variable=name)
    raise typer.Exit(run(create_app(settings), settings))


@app.command()
def doctor(
    data: Data = None,
    recover: Annotated[
        bool,
        typer.Option(
            "--recover",
            help="Put what can be read of a damaged database in its place; the damaged "
            "files are kept aside.",
        ),
    ] = False,
) -> None:
    """Say what is wrong with this installation, data directory or bundle."""
    from service.examination.doctor import examine
    from service.examination.findings import print_findings

    if not print_findings(examine(data, recover=recover)):
        raise typer.Exit(1)


@app.command()
def key(
    role: Annotated[RoleName, typer.Option(help="What the key allows.")] = RoleName.READ,
) -> None:
    """Make a key: the secret for the client, the line for EARSHOT_API_KEYS."""
    secret, line = new_key(Role[role.name])
    typer.echo(f"key: {secret}")
    typer.echo(f"EARSHOT_API_KEYS entry: {line}")


if __name__ == "__main__":
    sys.exit(app())
