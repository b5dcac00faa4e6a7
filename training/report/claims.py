"""Claims: the papers' orderings beside what this comparison shows of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes

from training.compare.claim_tables import claim_notes, claim_tables
from training.compare.orderings import HOLDS, REVERSED
from training.report.drawing import COLORS, FAINT, INK, as_svg, drawn, panels
from training.report.page import figure, paragraph, table
from training.report.standing import Standing

LOOKS = {HOLDS: (COLORS[2], "o"), REVERSED: (COLORS[1], "X")}
UNSURE = (FAINT, "|")


def claims(standing: Standing) -> list[str]:
    """Return the tables of claims and steps, and their differences as a figure."""
    judged, card = standing.results.claims, standing.results.card
    parts = [
        table(each.headings, each.lines, caption=each.title)
        for each in claim_tables(judged)
    ]
    steps = {(s["better"], s["worse"]): s for c in judged["claims"] for s in c["steps"]}
    if steps:
        parts.insert(1, _differences(list(steps.values())))
    return parts + [paragraph(note) for note in claim_notes(judged, card)]


def _differences(steps: Sequence[Mapping[str, Any]]) -> str:
    with drawn():
        canvas, ((panel,),) = panels(1, 1, width=8.5, height=0.8 + 0.24 * len(steps))
        for place, step in enumerate(steps):
            _difference(panel, place, step)
        panel.axvline(0, color=INK, linewidth=1)
        names = [f"{step['better']} > {step['worse']}" for step in steps]
        panel.set_yticks(range(len(steps)), names)
        panel.invert_yaxis()
        panel.set_xlabel("difference of mAP, mean of the directions")
        panel.grid(axis="y", visible=False)
        svg = as_svg(canvas, "claims")
    return figure(
        svg,
        "What is claimed to be positive. Disc: it holds here; cross: it is reversed; bar: "
        "neither is shown. Line: 95 % bootstrap interval over queries; ticks: the seeds.",
    )


def _difference(panel: Axes, place: int, step: Mapping[str, Any]) -> None:
    color, marker = LOOKS.get(step["verdict"], UNSURE)
    panel.plot(step["interval"], [place, place], color=color, linewidth=2.2)
    seeds = step["by_seed"]
    panel.plot(seeds, [place] * len(seeds), "|", color=INK, markersize=5)
    panel.plot(step["difference"], place, marker, color=color, markersize=8)
