"""Run every benchmark in a process of its own; table on stdout, JSON under var/bench.

Without a name all those run that take a minute. ``kernel_accuracy``, ``kinds`` and
``large_evaluation`` take minutes; ``methods``, up to half an hour, ``load`` and
``training_folds`` have options of their own: they run where they are named. ``results`` and
``figures`` put into the documentation what comparisons and benchmarks found.
"""

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from crossmodal.machine import machine

BENCHMARKS = ("capacity", "evaluation", "uploads", "writes")
WITH_OPTIONS = ("figures", "load", "methods", "results", "training_folds")
NAMED = ("kernel_accuracy", "kinds", "large_evaluation")
OUT = Path("var/bench")


def main() -> None:
    """Run all benchmarks, or those named on the command line."""
    if sys.argv[1:2] in (["-h"], ["--help"]):
        every = (*BENCHMARKS, *NAMED, *WITH_OPTIONS)
        print(f"python -m benchmarks [NAME ...]\n\n{__doc__}\nNames: {', '.join(every)}")
        return
    if sys.argv[1:2] and sys.argv[1] in WITH_OPTIONS:
        command = [sys.executable, "-m", f"benchmarks.{sys.argv[1]}", *sys.argv[2:]]
        sys.exit(subprocess.call(command))
    chosen = sys.argv[1:] or BENCHMARKS
    unknown = set(chosen) - {*BENCHMARKS, *NAMED}
    if unknown:
        sys.exit(
            f"unknown benchmark {', '.join(unknown)}; there are "
            f"{', '.join((*BENCHMARKS, *NAMED, *WITH_OPTIONS))}"
        )
    table = Table("benchmark", "figure", "value")
    results = {}
    for name in chosen:
        print(f"{name} …", file=sys.stderr)
        done = subprocess.run(
            [sys.executable, "-m", f"benchmarks.{name}"], stdout=subprocess.PIPE, text=True
        )
        if done.returncode:
            sys.exit(f"benchmark {name} failed")
        results[name] = json.loads(done.stdout)
        for figure, value in results[name].items():
            shown = f"{value:.4g}" if isinstance(value, float) else str(value)
            table.add_row(name, figure, shown)
    OUT.mkdir(parents=True, exist_ok=True)
    path = OUT / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"
    path.write_text(json.dumps({"machine": machine(), "results": results}, indent=2) + "\n")
    Console(width=None if Console().is_terminal else 110).print(table)
    print(path)


if __name__ == "__main__":
    main()
