"""Sweeps: score by the value of a setting, as a line, a heat map or a table."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from training.protocol.trials import Trials, Value, is_numeric
from training.report.drawing import INK, as_svg, drawn, panels, style, write_cell
from training.report.page import figure, folded, table
from training.report.standing import number

WIDE_SPAN = 20  # ratio of values from which an axis is logarithmic
FULL_GRID = 0.7  # share of the cells of a heat map that must be known
COLUMNS = 3
MOST_LINES = 40  # of the table of all trials


def sweep(trials: Trials, slug: str) -> list[str]:
    """Return the figures and tables of what was tried of one method.

    Args:
        trials: What was tried.
        slug: Unique in the page.
    """
    numeric = [key for key, values in trials.varied.items() if is_numeric(values)]
    parts = []
    if len(numeric) == 2 and _share_known(trials, numeric[0], numeric[1]) >= FULL_GRID:
        parts.append(_heat_maps(trials, (numeric[0], numeric[1]), f"{slug}-grid"))
    if numeric:
        parts.append(_lines(trials, numeric, slug=f"{slug}-lines"))
    parts += [_choices(trials, key) for key in trials.varied if key not in numeric]
    parts.append(_everything(trials))
    return parts


def _lines(trials: Trials, keys: list[str], slug: str) -> str:
    columns = min(COLUMNS, len(keys))
    rows = -(-len(keys) // columns)
    with drawn():
        canvas, axes = panels(rows, columns, width=3.9, height=2.9, sharey=True)
        flat = [panel for line in axes for panel in line]
        for panel, key in zip(flat, keys, strict=False):
            _line(panel, trials, key)
        for panel in flat[len(keys) :]:
            panel.set_visible(False)
        for line in axes:
            line[0].set_ylabel(_metric(trials))
        flat[0].legend(fontsize=8)
        svg = as_svg(canvas, slug)
    others = (
        " A point is the best over the other settings; crosses are all trials."
        if len(trials.varied) > 1
        else ""
    )
    return figure(
        svg,
        f"{trials.name}: {_metric(trials)} on {trials.scored_on} by setting; dotted: the "
        f"best trial.{others}",
    )


def _line(panel: Axes, trials: Trials, key: str) -> None:
    values = trials.varied[key]
    for order, direction in enumerate((None, *trials.directions)):
        scores = [trials.best_at(key, value, direction) for value in values]
        panel.plot(values, scores, label=direction or "mean", **style(order).line)
    if len(trials.varied) > 1:
        tried = [t for t in trials.trials if key in t.settings]
        panel.plot(
            [t.settings[key] for t in tried], [t.score for t in tried],
            "x", color=INK, markersize=3, alpha=0.5,
        )  # fmt: skip
    chosen = trials.best.settings.get(key)
    if chosen is not None:
        panel.axvline(float(chosen), color=INK, linestyle=":", linewidth=1)
    low, high = (float(value) for value in (values[0], values[-1]))
    if low > 0 and high / low >= WIDE_SPAN:
        panel.set_xscale("log")
    panel.set_xlabel(key)


def _heat_maps(trials: Trials, axes_of: tuple[str, str], slug: str) -> str:
    across, upwards = axes_of
    columns, rows = trials.varied[across], trials.varied[upwards]
    names = (None, *trials.directions)
    with drawn():
        canvas, (axes,) = panels(1, len(names), width=3.6, height=3.2, sharey=True)
        for panel, direction in zip(axes, names, strict=True):
            grid = np.array(
                [
                    [_cell(trials, {across: c, upwards: r}, direction) for c in columns]
                    for r in rows
                ]
            )
            low, high = np.nanmin(grid), np.nanmax(grid)
            panel.imshow(  # never quite black: a frame is drawn upon it
                grid, cmap="Greys", origin="lower", aspect="auto",
                vmin=low, vmax=high + 0.6 * (high - low),
            )  # fmt: skip
            _write_cells(panel, grid)
            panel.set_xticks(range(len(columns)), [_short(value) for value in columns])
            panel.set_yticks(range(len(rows)), [_short(value) for value in rows])
            panel.set_xlabel(across)
            panel.grid(visible=False)
            panel.set_title(direction or "mean")
        axes[0].set_ylabel(upwards)
        svg = as_svg(canvas, slug)
    return figure(
        svg,
        f"{trials.name}: {_metric(trials)} on {trials.scored_on} by {across} and "
        f"{upwards}; darker is better, the frame is the best.",
    )


def _write_cells(panel: Axes, grid: np.ndarray) -> None:
    low, high = np.nanmin(grid), np.nanmax(grid)
    for row, column in np.ndindex(*grid.shape):
        value = grid[row, column]
        if np.isnan(value):
            continue
        dark = high > low and (value - low) / (high - low) > 0.8
        write_cell(panel, row, column, f"{value:.3f}".lstrip("0"), light=bool(dark))
    row, column = np.unravel_index(np.nanargmax(grid), grid.shape)
    frame = np.array([(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5), (-0.5, -0.5)])
    panel.plot(*(frame * 0.94 + (column, row)).T, color=INK, linewidth=1.6)


def _cell(trials: Trials, wanted: dict[str, Value], direction: str | None) -> float:
    scores = [
        trial.score if direction is None else trial.directions[direction]
        for trial in trials.trials
        if all(trial.settings.get(key) == value for key, value in wanted.items())
    ]
    return max(scores, default=float("nan"))


def _share_known(trials: Trials, across: str, upwards: str) -> float:
    columns, rows = trials.varied[across], trials.varied[upwards]
    known = sum(
        not np.isnan(_cell(trials, {across: c, upwards: r}, None))
        for c in columns
        for r in rows
    )
    return known / (len(columns) * len(rows))


def _choices(trials: Trials, key: str) -> str:
    """Return an ablation table: a line per value of a setting that is no number."""
    values = trials.varied[key]
    scores = [trials.best_at(key, value) for value in values]
    top = max(scores)
    lines = [
        [
            str(value),
            *(number(trials.best_at(key, value, d)) for d in trials.directions),
            number(score),
            number(score - top),
        ]
        for value, score in zip(values, scores, strict=True)
    ]
    return table(
        [key, *trials.directions, "mean", "to the best"],
        lines,
        caption=f"{trials.name}: {_metric(trials)} on {trials.scored_on} by {key}, the "
        "best over the other settings",
        best=[scores.index(top)],
    )


def _everything(trials: Trials) -> str:
    ranked = sorted(trials.trials, key=lambda trial: -trial.score)
    keys = list(trials.varied)
    lines = [
        [
            *(_short(trial.settings.get(key, "-")) for key in keys),
            *(number(trial.directions[d], 4) for d in trials.directions),
            number(trial.score, 4),
            str(trial.fits),
        ]
        for trial in ranked[:MOST_LINES]
    ]
    cut = f", the best {MOST_LINES} of {len(ranked)}" if len(ranked) > MOST_LINES else ""
    return folded(
        f"{trials.name}: all {len(ranked)} combinations tried{cut}",
        [table([*keys, *trials.directions, "mean", "fits"], lines)],
    )


def _metric(trials: Trials) -> str:
    return {"mean_average_precision": "mAP", "mean_reciprocal_rank": "MRR"}.get(
        trials.metric, trials.metric
    )


def _short(value: Value) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
