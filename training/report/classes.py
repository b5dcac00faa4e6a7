"""Classes: average precision per class, items per class, and what is taken for what."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from crossmodal.modality import Direction
from training.report.drawing import FAINT, INK, as_svg, drawn, panels, write_cell
from training.report.page import figure
from training.report.standing import Standing, names

BARS = 3  # entries with a bar in every class
MATRICES = 2  # entries whose confusion is drawn
WRITTEN = 16  # classes up to which shares are written into the cells
MOST_CLASSES = 60


def precision_by_class(standing: Standing) -> list[str]:
    """Return bars of average precision per class."""
    results = standing.results
    classes = class_names(standing)
    if not classes:
        return []
    bars = standing.best(BARS)
    with drawn():
        height = 1.0 + len(classes) * (0.14 * len(bars) + 0.1)
        canvas, (axes,) = panels(
            1, len(results.directions), width=5.0, height=height, sharey=True, sharex=True
        )
        for panel, direction in zip(axes, results.directions, strict=True):
            _bars(panel, standing, direction, classes, bars)
        axes[0].set_yticks(range(len(classes)), classes)
        axes[0].invert_yaxis()
        handles, labels = axes[0].get_legend_handles_labels()
        canvas.legend(handles, labels, loc="outside lower center", ncols=len(labels))
        svg = as_svg(canvas, "by-class")
    return [
        figure(
            svg,
            f"Average precision of the queries of each class: bars for {names(bars)}; "
            "vertical tick: median over all entries, diamond: the best of them.",
        )
    ]


def _bars(
    panel: Axes,
    standing: Standing,
    direction: Direction,
    classes: list[str],
    bars: tuple[str, ...],
) -> None:
    values = {
        name: _by_class(standing, name, direction, classes) for name in standing.ranked
    }
    known = [values[name] for name in standing.ranked if not standing.is_baseline(name)]
    places = np.arange(len(classes))
    thick = 0.8 / len(bars)
    for number, name in enumerate(bars):
        at = places - 0.4 + thick * (number + 0.5)
        panel.barh(at, values[name], thick * 0.92, label=name, **standing.look(name).bar)
    if known:
        every = np.array(known)
        median, best = np.nanmedian(every, axis=0), np.nanmax(every, axis=0)
        panel.plot(
            median,
            places,
            "|",
            color=INK,
            markersize=16,
            markeredgewidth=1.6,
            label="median",
        )
        panel.plot(
            best, places, "D", color=INK, markersize=4, fillstyle="none", label="best"
        )
    panel.set_title(str(direction))
    panel.set_xlabel("mean AP of the class's queries")
    panel.set_xlim(0, 1)
    panel.grid(axis="y", visible=False)


def _by_class(
    standing: Standing, name: str, direction: Direction, classes: list[str]
) -> np.ndarray:
    found = standing.curves(name, direction).get("average_precision_by_class") or {}
    return np.array([np.nan if found.get(c) is None else found[c] for c in classes])


def items_per_class(standing: Standing) -> list[str]:
    """Return bars of how many items of each class were scored."""
    split = standing.results.card["data"]["splits"][standing.results.splits[0]]
    classes = class_names(standing)
    if not classes:
        return []
    with drawn():
        canvas, (axes,) = panels(
            1, len(split), width=4.2, height=0.9 + 0.2 * len(classes), sharey=True
        )
        for panel, (modality, part) in zip(axes, sorted(split.items()), strict=True):
            counts = [part["classes"].get(name, 0) for name in classes]
            bars = panel.barh(
                range(len(classes)),
                counts,
                facecolor="#dddddd",
                edgecolor=INK,
                linewidth=0.8,
            )
            panel.bar_label(bars, padding=3, fontsize=8)
            panel.set_title(f"{modality}: {part['items']:,} items")
            panel.margins(x=0.12)
            panel.grid(axis="y", visible=False)
        axes[0].set_yticks(range(len(classes)), classes)
        axes[0].invert_yaxis()
        svg = as_svg(canvas, "class-sizes")
    return [figure(svg, "Scored items per class: the galleries, and the queries.")]


def confusion(standing: Standing) -> list[str]:
    """Return confusion matrices of the best entries."""
    drawn_figures = []
    for name in standing.best(MATRICES):
        for depth, meaning in (
            ("top_1", "the class of the first item"),
            ("top_r", "the classes of the first R items, R being how many are relevant"),
        ):
            svg = _matrices(standing, name, depth)
            if svg:
                drawn_figures.append(
                    figure(
                        svg,
                        f"{name}: {meaning}. Row: class of "
                        "the query; rows sum to 100 %; darker is more.",
                    )
                )
    return drawn_figures


def _matrices(standing: Standing, name: str, depth: str) -> str:
    found = {}
    for direction in standing.results.directions:
        there = standing.curves(name, direction).get("confusion")
        if there and len(there["classes"]) <= MOST_CLASSES:
            found[direction] = there
    if not found:
        return ""
    size = min(8.0, 1.7 + 0.36 * max(len(there["classes"]) for there in found.values()))
    with drawn():
        canvas, (axes,) = panels(1, len(found), width=size, height=size * 0.92)
        for panel, (direction, there) in zip(axes, found.items(), strict=True):
            _matrix(panel, np.array(there[depth]), there["classes"])
            panel.set_title(f"{name}, {direction}, {depth.replace('_', ' ')}")
        return as_svg(canvas, f"confusion-{standing.ranked.index(name)}-{depth}")


def _matrix(panel: Axes, shares: np.ndarray, classes: list[str]) -> None:
    panel.imshow(shares, cmap="Greys", vmin=0, vmax=1)
    places = range(len(classes))
    panel.set_xticks(places, classes, rotation=90)
    panel.set_yticks(places, classes)
    panel.set_xlabel("retrieved", color=FAINT)
    panel.set_ylabel("query", color=FAINT)
    panel.grid(visible=False)
    if len(classes) > WRITTEN:
        return
    for row, column in np.ndindex(*shares.shape):
        percent = round(100 * float(shares[row, column]))
        if percent:
            light = bool(shares[row, column] > 0.5)
            write_cell(panel, row, column, str(percent), light=light)


def class_names(standing: Standing) -> list[str]:
    """Return every class scored, in the order of the confusion matrices; few enough."""
    split = standing.results.card["data"]["splits"][standing.results.splits[0]]
    found = sorted({name for part in split.values() for name in part["classes"]})
    return found if len(found) <= MOST_CLASSES else []
