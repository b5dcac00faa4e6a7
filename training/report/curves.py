"""Curves: precision by recall and by scope, over the depth of the whole gallery."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from training.config import Number
from training.report.drawing import as_svg, drawn, panels
from training.report.page import figure
from training.report.standing import Standing


def precision_recall(standing: Standing) -> list[str]:
    """Return the precision-recall curves, a panel per direction."""
    return _curves(
        standing,
        "recall",
        ("precision_recall", "recall", "precision"),
        "Precision against recall at each depth of the ranking, mean over queries, fits.",
    )


def precision_scope(standing: Standing) -> list[str]:
    """Return the precision-scope curves, a panel per direction."""
    return _curves(
        standing,
        "scope K (items looked at, logarithmic)",
        ("precision_scope", "k", "precision"),
        "Precision among the first K items, K from 10 to 1,000 or to the gallery's size.",
    )


def _curves(
    standing: Standing, label: str, keys: tuple[str, str, str], caption: str
) -> list[str]:
    kind, across, upwards = keys
    directions = standing.results.directions
    with drawn():
        canvas, (axes,) = panels(1, len(directions), width=4.8, height=3.7, sharey=True)
        for panel, direction in zip(axes, directions, strict=True):
            for name in standing.shown:
                curve = standing.curves(name, direction).get(kind)
                if curve:
                    _draw(panel, standing, name, curve[across], curve[upwards])
            panel.set_title(str(direction))
            panel.set_xlabel(label)
            if kind == "precision_scope":
                panel.set_xscale("log")
            panel.set_ylim(bottom=0)
        axes[0].set_ylabel("precision")
        handles, labels = axes[0].get_legend_handles_labels()
        canvas.legend(handles, labels, loc="outside right upper")
        svg = as_svg(canvas, kind.replace("_", "-"))
    return [figure(svg, caption + standing.left_out)]


def _draw(
    panel: Axes,
    standing: Standing,
    name: str,
    across: Sequence[Number],
    up: Sequence[Number],
) -> None:
    every = max(1, len(across) // 9)
    shift = standing.shown.index(name) * every // max(1, len(standing.shown))
    panel.plot(across, up, label=name, markevery=(shift, every), **standing.look(name).line)
