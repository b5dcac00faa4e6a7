"""``python -m training``: from a data set to an exported bundle."""

import typer

from crossmodal import console
from training.commands.evaluate import evaluate
from training.commands.export import export
from training.commands.fit import fit
from training.commands.listings import frontends, methods
from training.commands.prepare import prepare
from training.demo.command import demo

app = typer.Typer(
    help="Prepare data, fit methods, evaluate runs and export bundles.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for command in (demo, prepare, methods, frontends, fit, evaluate, export):
    app.command()(command)

if __name__ == "__main__":
    console.run(app)
