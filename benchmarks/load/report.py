"""The report: one JSON that grows with every measurement, and tables for people."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from benchmarks.load.scale import Scale
from crossmodal.machine import machine

OUT = Path("var/bench")


class Bar(NamedTuple):
    """A figure and what it is held to."""

    name: str
    value: float | None
    bound: str
    kept: bool


def at_most(name: str, value: float | None, bound: float, unit: str = "") -> Bar:
    """Hold a figure to an upper bound; one that is missing is not kept."""
    return Bar(
        name, value, f"<= {bound:g} {unit}".strip(), value is not None and value <= bound
    )


def at_least(name: str, value: float | None, bound: float, unit: str = "") -> Bar:
    """Hold a figure to a lower bound; one that is missing is not kept."""
    return Bar(
        name, value, f">= {bound:g} {unit}".strip(), value is not None and value >= bound
    )


class Report:
    """What was measured so far; written to disk after every addition."""

    def __init__(self, scale: Scale, out: Path = OUT) -> None:
        """Start a report under a name that tells when."""
        out.mkdir(parents=True, exist_ok=True)
        self.path = out / f"load-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"
        self._started = time.monotonic()
        self._console = Console(width=None if Console().is_terminal else 120)
        self.parts: dict[str, dict[str, Any]] = {}
        self._head = {"machine": machine(), "scale": asdict(scale)}
        self._write()

    def add(self, part: str, name: str, figures: Any) -> None:
        """Keep figures of a part under a name, and tell that they are there."""
        self.parts.setdefault(part, {})[name] = figures
        self._write()
        print(f"{part}: {name}: {_short(figures)}", file=sys.stderr)

    def bars(self, part: str, *bars: Bar) -> None:
        """Keep the figures that are held to a bound."""
        known = self.parts.setdefault(part, {}).setdefault("bars", [])
        known.extend(bar._asdict() for bar in bars)
        self._write()

    @property
    def missed(self) -> list[str]:
        """The names of the bars that were not kept."""
        every = [bar for part in self.parts.values() for bar in part.get("bars", ())]
        return [bar["name"] for bar in every if not bar["kept"]]

    def table(self, part: str) -> None:
        """Print what a part measured."""
        figures = dict(self.parts.get(part, {}))
        bars = figures.pop("bars", ())
        rates = {k: v for k, v in figures.items() if isinstance(v, dict) and "peaks" in v}
        if rates:
            self._console.print(_rates(part, rates))
        others = {k: v for k, v in figures.items() if k not in rates}
        if others:
            table = Table("what", "figure", "value", title=part)
            for name, value in others.items():
                for figure, text in _flat(value):
                    table.add_row(name, figure, text)
            self._console.print(table)
        if bars:
            table = Table("bar", "value", "bound", "kept", title=f"{part}: bars")
            for bar in bars:
                kept = "yes" if bar["kept"] else "NO"
                table.add_row(bar["name"], _text(bar["value"]), bar["bound"], kept)
            self._console.print(table)

    def _write(self) -> None:
        seconds = round(time.monotonic() - self._started, 1)
        whole = {**self._head, "seconds": seconds, "parts": self.parts}
        draft = self.path.with_suffix(".new")
        draft.write_text(json.dumps(whole, indent=2) + "\n")
        draft.replace(self.path)


def _rates(part: str, rates: dict[str, Any]) -> Table:
    counts = list(next(iter(rates.values()))["peaks"])
    heads = [f"{count} conn." for count in counts]
    table = Table("answers/s", *heads, "of ours", "recall", "p50 ms", "p95", "p99", "p99.9")
    table.title = f"{part}: peaks, and latencies at 60 % of the highest"
    for name, each in rates.items():
        peaks = [_text(each["peaks"][count]["requests_per_s"]) for count in counts]
        late, recall = each["at_60_percent"], _text(each.get("recall_at_10"))
        waits = [_text(late.get(q)) for q in ("p50_ms", "p95_ms", "p99_ms", "p999_ms")]
        table.add_row(name, *peaks, _text(each.get("of_ours")), recall, *waits)
    return table


def _flat(value: Any, prefix: str = "") -> list[tuple[str, str]]:
    if not isinstance(value, dict):
        return [(prefix, _text(value))]
    return [
        row for key, part in value.items() for row in _flat(part, f"{prefix} {key}".strip())
    ]


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return str(value)


def _short(figures: Any) -> str:
    if isinstance(figures, dict) and "peaks" in figures:
        late = figures["at_60_percent"]
        return f"{figures['peak_per_s']} /s, p99 {late.get('p99_ms')} ms at 60 %"
    return ", ".join(f"{name} {text}" for name, text in _flat(figures))[:300]
