"""Tables of the report: results, ablations, time, and what it was all made with."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from training.compare.rows import HEADLINE, MEAN
from training.compare.tables import lay_out, notes
from training.report.page import code, folded, paragraph, table
from training.report.standing import Standing, number


def results_tables(standing: Standing) -> list[str]:
    """Return the comparison's own tables, best line in bold, and their notes."""
    results = standing.results
    parts = []
    for each in lay_out(results.rows, results.card):
        first = standing.ranked[:1]
        best = [n for n, line in enumerate(each.lines) if line[0] in first]
        parts.append(table(each.headings, each.lines, caption=each.title, best=best))
    return parts + [paragraph(note) for note in notes(results.card)]


def entries_table(standing: Standing) -> list[str]:
    """Return what each entry is, where it comes from and what it learns from."""
    lines = [
        [
            entry["name"],
            entry["title"],
            entry["preset"],
            entry["supervision"],
            entry["source"],
            entry["status"],
        ]
        for entry in standing.results.card["entries"]
    ]
    headings = ["entry", "method", "preset", "supervision", "source", "status"]
    return [table(headings, lines)]


def time_table(standing: Standing) -> list[str]:
    """Return seconds to train and to evaluate, and the size of what was fitted."""
    lines = []
    for name in standing.ranked:
        row, jobs = standing.row(name, MEAN, HEADLINE), standing.results.of(name)
        evaluate = sum(job.values["evaluate_seconds"] for job in jobs) / len(jobs)
        total = sum(
            job.values["train_seconds"] + job.values["evaluate_seconds"] for job in jobs
        )
        lines.append(
            [
                name,
                number(row["train_seconds"], 2),
                number(evaluate, 2),
                f"{row['parameters']:,.0f}" if row["parameters"] is not None else "-",
                str(len(jobs)),
                number(total, 1),
            ]
        )
    headings = ["entry", "train s", "evaluate s", "parameters", "fits", "all fits s"]
    caption = "Seconds per fit, the choice of settings included; mean over fits"
    return [table(headings, lines, caption=caption)]


def ablations(standing: Standing) -> list[str]:
    """Return a table per method that stands in the comparison more than once."""
    methods: dict[str, list[str]] = {}
    for name in standing.ranked:
        methods.setdefault(standing.results.entry(name)["method"], []).append(name)
    return [
        _ablation(standing, method, entries)
        for method, entries in methods.items()
        if len(entries) > 1
    ]


def _ablation(standing: Standing, method: str, entries: Sequence[str]) -> str:
    directions = [*map(str, standing.results.directions), MEAN]
    top = standing.score(entries[0]) or 0.0
    lines = [
        [
            name,
            standing.results.entry(name)["preset"],
            *(number(standing.row(name, d, HEADLINE)["mean"]) for d in directions),
            number((standing.score(name) or 0.0) - top),
            number(standing.row(name, MEAN, HEADLINE)["train_seconds"], 1),
        ]
        for name in entries
    ]
    headings = ["entry", "preset", *directions, "to the best", "train s"]
    return table(headings, lines, caption=f"{method} by preset and settings, mAP", best=[0])


def made_with(card: Mapping[str, Any]) -> list[str]:
    """Return the exact command and the environment, from a comparison's or sweep's card."""
    environment = dict(card["environment"])
    packages = environment.pop("packages", {})
    lines = [[key, str(value)] for key, value in {**environment, **packages}.items()]
    return [
        paragraph("Made by this command:"),
        code(shlex.join(card["command"])),
        table(["environment", ""], lines),
    ]


def provenance(standing: Standing) -> list[str]:
    """Return the exact command, the environment, the data and every setting used."""
    card = standing.results.card
    data = card["data"]
    facts = [
        ["name", data["name"]],
        ["path", data["path"]],
        ["sha256", data["sha256"]],
        ["scored", str(data["split"])],
        *(
            [f"{modality} front end", "ready features" if spec is None else spec["name"]]
            for modality, spec in data["frontends"].items()
        ),
    ]
    used = {
        name: [
            {"seed": job.seed, "fold": job.fold, "settings": job.values["settings"]}
            for job in standing.results.of(name)
        ]
        for name in standing.ranked
    }
    return [
        *made_with(card),
        table(["data", ""], facts),
        folded("Settings of every fit", [code(json.dumps(used, indent=1))]),
        folded(
            "The request as it was understood",
            [code(json.dumps(card["request"], indent=1))],
        ),
    ]
