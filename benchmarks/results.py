"""Comparisons as pages of docs/results, and their summary in the README.

``python -m benchmarks results COMPARISON... [--out docs/results]`` takes the directories
that ``training compare`` wrote. Each gives a page with command, environment, tables and
claims, and the table as CSV; together they give ``README.md`` there, and the summary
between the two marks in the project's README.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from benchmarks.pages import between_marks

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "docs" / "results"
MARK = "results"
CLASS = "mean_average_precision"


@dataclass(frozen=True)
class Comparison:
    """One comparison's directory, read."""

    directory: Path

    @cached_property
    def about(self) -> Mapping[str, Any]:
        """Command, environment and data."""
        value: Mapping[str, Any] = json.loads((self.directory / "compare.json").read_text())
        return value

    @cached_property
    def rows(self) -> Sequence[Mapping[str, Any]]:
        """The rows of table.json."""
        value: list[Mapping[str, Any]] = json.loads(
            (self.directory / "table.json").read_text()
        )
        return value

    @cached_property
    def claims(self) -> Sequence[Mapping[str, Any]]:
        """The claims judged."""
        value = json.loads((self.directory / "claims.json").read_text())
        claims: list[Mapping[str, Any]] = value["claims"]
        return claims

    @property
    def name(self) -> str:
        """The data set's."""
        name: str = self.about["data"]["name"]
        return name

    def entries(self) -> list[str]:
        """Return what was compared, in its order."""
        entries: list[str] = self.about["request"]["entries"]
        return entries

    def methods(self) -> list[str]:
        """Return those entries that are methods as they are, not variants of one."""
        return [entry for entry in self.entries() if ":" not in entry]

    def figure(self, entry: str, metric: str) -> Mapping[str, Any] | None:
        """Return the mean of the directions, None where it does not apply."""
        for row in self.rows:
            named = row["method"]
            if (named, row["direction"], row["metric"]) == (entry, "mean", metric):
                return row if row["mean"] is not None else None
        return None

    def command(self) -> str:
        """Return the command without this machine's folders."""
        given = self.about["command"][1:]
        return " ".join(
            ["python -m training", *(_bare(given, at) for at in range(len(given)))]
        )

    def environment(self) -> str:
        """Return what it ran on, in a line."""
        found = self.about["environment"]
        packages = found["packages"]
        shown = ("numpy", "scipy", "scikit-learn", "torch")
        versions = ", ".join(f"{name} {packages[name]}" for name in shown)
        return (
            f"{found['processor']}, {found['cores']} cores, Python {found['python']}, "
            f"{versions}; code of commit {found['commit']}"
        )

    def page(self) -> str:
        """Return the page."""
        data = self.about["data"]
        sizes = "; ".join(
            f"{split} {modality}: {counts['items']} items"
            for split, modalities in data["splits"].items()
            for modality, counts in modalities.items()
        )
        return (
            f"# {self.name}\n\n```sh\n{self.command()}\n```\n\n{self.environment()}.\n"
            f"Scored split `{data['split']}` ({sizes}). Training seconds were taken while "
            "two fits ran at a time.\n\n"
            + (self.directory / "table.md").read_text().strip()
            + "\n"
        )


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the pages and both summaries."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks results")
    parser.add_argument("comparisons", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--readme", type=Path, default=ROOT / "README.md")
    asked = parser.parse_args(arguments)
    comparisons = [Comparison(directory) for directory in asked.comparisons]
    asked.out.mkdir(parents=True, exist_ok=True)
    for comparison in comparisons:
        (asked.out / f"{comparison.name}.md").write_text(comparison.page())
        shutil.copyfile(
            comparison.directory / "table.csv", asked.out / f"{comparison.name}.csv"
        )
    overview = asked.out / "README.md"
    for path, text in (
        (asked.readme, summary(comparisons)),
        (overview, "\n\n".join(part(comparisons) for part in (leads, summary, claims))),
    ):
        path.write_text(between_marks(path.read_text(), MARK, text))
        print(path)


def leads(comparisons: Sequence[Comparison]) -> str:
    """Return which method is first on each data set, and by how much before the next."""
    lines = ["| data | first | next | ahead by | p over queries |", "|---|---|---|---|---|"]
    for comparison in comparisons:
        found = {m: comparison.figure(m, CLASS) for m in comparison.methods()}
        first, second = sorted(
            (row for row in found.values() if row), key=lambda row: -row["mean"]
        )[:2]
        lines.append(
            f"| {comparison.name} | `{first['method']}` | `{second['method']}` "
            f"| {first['mean'] - second['mean']:.3f} | {second['p_value']:.2g} |"
        )
    return "\n".join(lines)


def summary(comparisons: Sequence[Comparison]) -> str:
    """Return class mAP by method and data set, best first by the mean of the sets."""
    methods = comparisons[0].methods()
    mean = {method: [c.figure(method, CLASS) for c in comparisons] for method in methods}
    shown = {m: found for m, found in mean.items() if all(found)}
    ordered = sorted(shown, key=lambda m: -sum(row["mean"] for row in shown[m] if row))
    best = [
        max(row["mean"] for row in column if row)
        for column in zip(*shown.values(), strict=True)
    ]
    lines = [
        "| method | " + " | ".join(c.name for c in comparisons) + " |",
        "|---|" + "---|" * len(comparisons),
    ]
    for method in ordered:
        cells = [_cell(row, top) for row, top in zip(shown[method], best, strict=True)]
        lines.append(f"| `{method}` | " + " | ".join(cells) + " |")
    for method in methods:
        if method not in shown:
            lines.append(f"| `{method}` |" + " not applicable |" * len(comparisons))
    return "\n".join(lines)


def claims(comparisons: Sequence[Comparison]) -> str:
    """Return each claim with its verdict on every data set."""
    verdicts: dict[str, dict[str, str]] = {}
    said: dict[str, Mapping[str, Any]] = {}
    for comparison in comparisons:
        for claim in comparison.claims:
            said[claim["key"]] = claim
            verdicts.setdefault(claim["key"], {})[comparison.name] = claim["verdict"]
    lines = [
        "| claim | source | " + " | ".join(c.name for c in comparisons) + " |",
        "|---|---|" + "---|" * len(comparisons),
    ]
    for key, claim in said.items():
        found = [verdicts[key].get(c.name, "-") for c in comparisons]
        lines.append(
            f"| {claim['statement']} | {claim['source']} | " + " | ".join(found) + " |"
        )
    return "\n".join(lines)


def _cell(row: Mapping[str, Any] | None, best: float) -> str:
    if row is None:
        return "-"
    value = f"{row['mean']:.3f} ± {row['sd']:.3f}"
    return f"**{value}**" if row["mean"] == best else value


def _bare(words: Sequence[str], at: int) -> str:
    previous = words[at - 1] if at else ""
    return Path(words[at]).name if previous in ("--data", "--out") else words[at]


if __name__ == "__main__":
    main()
