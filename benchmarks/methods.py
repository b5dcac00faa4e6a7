"""Every training method on a file of VEGAS's size: seconds, peak memory, class mAP, bars.

``python -m benchmarks methods [--methods a,b] [--device cuda]`` measures one method after
another, each in a process of its own, and keeps what it measured beside the table: called
again it goes on with what is missing, and measures anew what other code than today's was
measured with. Only methods with a bar are judged by their time; memory has one for all.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.method_fit import HEADLINE
from crossmodal.features import write_features
from crossmodal.machine import machine
from training.datasets.shapes import SHAPES
from training.demo.features import Difficulty, make_features
from training.demo.steps import over_time
from training.methods.catalog import METHODS

OUT = Path("var/bench/methods")
ROOT = Path(__file__).resolve().parent.parent

CLOSED_S, KERNEL_S, TRIPLETS_S = 3.0, 30.0, 60.0  # on two cores
BARS_S = {  # a method that is not here has no bar and is only measured
    **dict.fromkeys(
        ("random", "cca", "c_cca", "multi_view", "posterior_product"), CLOSED_S
    ),
    **dict.fromkeys(("kcca", "c_kcca"), KERNEL_S),
    **dict.fromkeys(("tnn", "tnn_c_cca"), TRIPLETS_S),
}
MEMORY_MB = 3_000.0
TABLE_S = 25 * 60.0
STEPS = 10  # of the items that methods of sequences are given


def main(arguments: Sequence[str]) -> None:
    """Measure the methods asked for, print all that is known, and write it as JSON."""
    asked = _parser().parse_args(arguments)
    names = list(METHODS) if asked.methods == "all" else asked.methods.split(",")
    unknown = [name for name in names if name not in METHODS]
    if unknown:
        sys.exit(f"unknown method {', '.join(unknown)}; there are {', '.join(METHODS)}")
    OUT.mkdir(parents=True, exist_ok=True)
    key = {"code": code_digest(), "preset": asked.preset, "seed": asked.seed}
    key |= {"items": asked.items, "device": asked.device}
    rows = []
    for name in names:
        kept = OUT / f"{name}.json"
        row = None if asked.again else measured_before(kept, key)
        if row is None:
            print(f"{name} …", file=sys.stderr)
            steps = STEPS if METHODS[name].card.sequences else None
            data = features_file(asked.items, steps)
            row = measured_now(data, name, asked.preset, asked.seed, asked.device)
            kept.write_text(json.dumps({"key": key, "row": row}) + "\n")
        rows.append(judged(row))
    total = sum(row["seconds"] for row in rows)
    path = OUT / "table.json"
    peak = max(row["peak_memory_mb"] for row in rows)
    sums = {"total_seconds": total, "peak_memory_mb": peak}
    table = {"machine": machine(), **key, **sums, "rows": rows}
    path.write_text(json.dumps(table, indent=2) + "\n")
    print_table(rows)
    print(
        f"{len(rows)} methods in {total / 60:.1f} min; all are to take {TABLE_S / 60:.0f}"
    )
    print(f"most memory {peak:.0f} MB; each is to take {MEMORY_MB:.0f} or less")
    print(path)


def features_file(items: int | None, steps: int | None) -> Path:
    """Return features of VEGAS's exact sizes, made where they are missing."""
    path = OUT / f"vegas_{items or 'whole'}{f'_{steps}_steps' if steps else ''}.h5"
    if not path.is_file():
        print(f"making {path} …", file=sys.stderr)
        data = make_features(SHAPES["vegas"], Difficulty(), items=items)
        write_features(path, over_time(data, steps) if steps else data)
    return path


def code_digest() -> str:
    """Return a digest of all code that a fit runs."""
    digest = hashlib.sha256()
    for package in ("crossmodal", "training", "benchmarks"):
        for path in sorted((ROOT / package).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def measured_before(path: Path, key: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what was measured with the same code, data and settings, if anything."""
    try:
        kept = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    row: dict[str, Any] = kept["row"]
    return row if kept["key"] == key else None


def measured_now(
    data: Path, name: str, preset: str, seed: int, device: str
) -> dict[str, Any]:
    """Fit and evaluate in a new process."""
    command = [sys.executable, "-m", "benchmarks.method_fit", str(data), name, preset]
    done = subprocess.run([*command, str(seed), device], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{name} failed")
    row: dict[str, Any] = json.loads(done.stdout)
    return row


def judged(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row with its bar, None without one, and whether it met what it has."""
    bar = BARS_S.get(row["method"])
    met = row["peak_memory_mb"] <= MEMORY_MB and (bar is None or row["seconds"] <= bar)
    return {**row, "bar_seconds": bar, "met": met}


def print_table(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print a row per method."""
    directions = list(rows[0][HEADLINE])
    shown = Table("method", "seconds", "bar", "memory MB", *directions, "epochs", "met")
    for row in rows:
        scores = [f"{value:.3f}" for value in row[HEADLINE].values()]
        shown.add_row(
            row["method"],
            f"{row['seconds']:.1f}",
            "" if row["bar_seconds"] is None else f"{row['bar_seconds']:.0f}",
            f"{row['peak_memory_mb']:.0f}",
            *scores,
            str(row["epochs"]),
            "yes" if row["met"] else "no",
        )
    Console(width=None if Console().is_terminal else 110).print(shown)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks methods")
    parser.add_argument("--methods", default="all", help="names joined by commas")
    parser.add_argument("--preset", default="tuned")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--items", type=int, help="fewer pairs than VEGAS has")
    parser.add_argument("--again", action="store_true", help="measure all anew")
    return parser


if __name__ == "__main__":
    main(sys.argv[1:])
