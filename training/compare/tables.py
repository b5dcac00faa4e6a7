"""Tables: the rows as Markdown and LaTeX for people, and as CSV for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from crossmodal.durable import write_bytes
from training.compare.claim_tables import claim_notes, claim_tables
from training.compare.layout import MISSING, Table
from training.compare.rows import HEADLINE, MEAN, WITHOUT_OWN_PAIR, Row

INSTANCE = {
    "R@1": "recall_at_1",
    "R@5": "recall_at_5",
    "R@10": "recall_at_10",
    "MedR": "median_rank",
    "MeanR": "mean_rank",
    "MRR": "mean_reciprocal_rank",
}
DIGITS = {"median_rank": 1, "mean_rank": 1}


def write_tables(
    directory: Path, rows: Sequence[Row], card: Mapping[str, Any], claims: Mapping[str, Any]
) -> None:
    """Write ``table.md``, ``table.tex`` and ``table.csv``."""
    tables, claimed = lay_out(rows, card), claim_tables(claims)
    remarks, said = notes(card), claim_notes(claims, card)
    for name, text in (
        ("table.md", f"{markdown(tables, remarks)}\n{markdown(claimed, said)}"),
        ("table.tex", f"{latex(tables, remarks)}\n{latex(claimed, said)}"),
        ("table.csv", csv_text(rows)),
    ):
        write_bytes(directory / name, text.encode())


def lay_out(rows: Sequence[Row], card: Mapping[str, Any]) -> list[Table]:
    """Return the table of class retrieval, and that of the very clip where there is one."""
    cells = _Cells(rows, card)
    directions = [*card["data"]["directions"], MEAN]
    by_class = Table(
        "Class retrieval: mAP over the whole gallery",
        [
            "method",
            *directions,
            "95 % interval",
            "p",
            "lift",
            "without own pair",
            "last epoch",
            "hubness",
            "train s",
            "parameters",
            "pairs",
        ],
        [
            [
                entry["name"],
                *(cells.with_deviation(entry, d, HEADLINE) for d in directions),
                cells.interval(entry),
                cells.p_value(entry),
                cells.number(entry, MEAN, "lift", 2),
                cells.number(entry, MEAN, WITHOUT_OWN_PAIR, 3),
                cells.last_epoch(entry),
                cells.number(entry, MEAN, "hubness", 2),
                cells.field(entry, "train_seconds", lambda value: f"{value:.1f}"),
                cells.field(entry, "parameters", lambda value: f"{value:,}"),
                entry["pairs"] or MISSING,
            ]
            for entry in card["entries"]
        ],
    )
    if not any(row["metric"] == "median_rank" and row["values"] for row in rows):
        return [by_class]
    by_clip = Table(
        "Instance retrieval: the very clip",
        ["method", *(f"{d} {name}" for d in directions[:-1] for name in INSTANCE)],
        [
            [
                entry["name"],
                *(
                    cells.number(entry, d, metric, DIGITS.get(metric, 3))
                    for d in directions[:-1]
                    for metric in INSTANCE.values()
                ),
            ]
            for entry in card["entries"]
        ],
    )
    return [by_class, by_clip]


def notes(card: Mapping[str, Any]) -> list[str]:
    """Return what must stand beside the figures, a sentence or two per line."""
    data, request = card["data"], card["request"]
    lines = [
        f"Data: {data['name']} (sha256 {data['sha256'][:12]}), "
        + (f"{request['folds']} folds." if request["folds"] else f"split {data['split']}.")
    ]
    for split, sizes in data["splits"].items():
        for modality, part in sizes.items():
            counts = ", ".join(f"{c} {n}" for c, n in part["classes"].items())
            lines.append(f"Scored {modality} of {split}: {part['items']} items ({counts}).")
    seeds = ", ".join(map(str, request["seeds"]))
    lines.append(
        f"Seeds {seeds}; mean ± standard deviation. Interval: bootstrap over queries. p: "
        "paired randomisation of per-query AP, mean over directions, against the best "
        "method, not corrected for the number of methods."
    )
    if request["tune"]:
        tried = ", ".join(f"{e['name']} {e['candidates']}" for e in card["entries"])
        lines.append(
            f"Settings by a search of up to {request['tune']} candidates each on "
            f"validation; tried: {tried}."
        )
    lines += [f"{e['name']}: {e['status']}" for e in card["entries"] if e["status"] != "ok"]
    return lines


def markdown(tables: Sequence[Table], remarks: Sequence[str]) -> str:
    """Return the tables as Markdown."""
    parts = []
    for table in tables:
        lines = [table.headings, ["---"] * len(table.headings), *table.lines]
        body = "\n".join(
            "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |"
            for line in lines
        )
        parts.append(f"**{table.title}**\n\n{body}\n")
    parts.append("\n".join(f"- {remark}" for remark in remarks) + "\n")
    return "\n".join(parts)


def latex(tables: Sequence[Table], remarks: Sequence[str]) -> str:
    """Return the tables as LaTeX without packages."""
    parts = [f"% {remark}" for remark in remarks]
    for table in tables:
        columns = "l" + "r" * (len(table.headings) - 1)
        parts += [
            r"\begin{table}",
            rf"\caption{{{_escape(table.title)}}}",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\hline",
            " & ".join(map(_escape, table.headings)) + r" \\",
            r"\hline",
            *(" & ".join(map(_escape, line)) + r" \\" for line in table.lines),
            r"\hline",
            r"\end{tabular}",
            r"\end{table}",
        ]
    return "\n".join(parts) + "\n"


def csv_text(rows: Sequence[Row]) -> str:
    """Return every row as CSV; lists are joined by spaces, missing cells are empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow(
            {
                key: " ".join(map(str, value)) if isinstance(value, list) else value
                for key, value in row.items()
            }
        )
    return text.getvalue()


class _Cells:
    """Looks figures up and writes them as text."""

    def __init__(self, rows: Sequence[Row], card: Mapping[str, Any]) -> None:
        self._rows = {
            (row["method"], row["preset"], row["direction"], row["metric"]): row
            for row in rows
        }
        self._last_directions: Sequence[str] = card["data"]["directions"]

    def _row(self, entry: Mapping[str, Any], direction: str, metric: str) -> Row:
        return self._rows[entry["variant"], entry["preset"], direction, metric]

    def number(
        self, entry: Mapping[str, Any], direction: str, metric: str, digits: int
    ) -> str:
        value = self._row(entry, direction, metric)["mean"]
        return MISSING if value is None else f"{value:.{digits}f}"

    def with_deviation(self, entry: Mapping[str, Any], direction: str, metric: str) -> str:
        row = self._row(entry, direction, metric)
        if row["mean"] is None:
            return MISSING
        deviation = "" if row["sd"] is None else f" ± {row['sd']:.3f}"
        return f"{row['mean']:.3f}{deviation}"

    def interval(self, entry: Mapping[str, Any]) -> str:
        bounds = self._row(entry, MEAN, HEADLINE)["interval"]
        return MISSING if bounds is None else f"{bounds[0]:.3f} to {bounds[1]:.3f}"

    def p_value(self, entry: Mapping[str, Any]) -> str:
        row = self._row(entry, MEAN, HEADLINE)
        if row["p_value"] is None:
            return MISSING if row["interval"] is None else "best"
        return f"{row['p_value']:.4f}"

    def last_epoch(self, entry: Mapping[str, Any]) -> str:
        last = entry["last_epoch"]
        if not last or set(last) != set(self._last_directions):
            return MISSING
        return f"{sum(last.values()) / len(last):.3f}"

    def field(
        self, entry: Mapping[str, Any], name: str, shown: Callable[[Any], str]
    ) -> str:
        value = self._row(entry, MEAN, HEADLINE)[name]
        return MISSING if value is None else shown(value)


_SPECIAL = {
    "\\": r"\textbackslash{}",
    "±": r"$\pm$",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{sign: "\\" + sign for sign in "&%$#_{}"},
}


def _escape(text: str) -> str:
    return "".join(_SPECIAL.get(sign, sign) for sign in text)
