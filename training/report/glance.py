"""At a glance: every entry's score with its interval and its seeds; score against time."""

from __future__ import annotations

from matplotlib.axes import Axes

from training.compare.rows import HEADLINE, MEAN
from training.report.drawing import FAINT, INK, as_svg, drawn, panels
from training.report.page import figure
from training.report.standing import Standing


def glance(standing: Standing) -> list[str]:
    """Return the figure of all scores."""
    results = standing.results
    columns = [*map(str, results.directions), MEAN]
    with drawn():
        height = 0.8 + 0.26 * len(standing.ranked)
        canvas, (axes,) = panels(
            1, len(columns), width=3.3, height=height, sharey=True, sharex=True
        )
        for panel, direction in zip(axes, columns, strict=True):
            _scores(panel, standing, direction)
        axes[0].set_yticks(range(len(standing.ranked)), standing.ranked)
        axes[0].invert_yaxis()
        axes[0].set_xlim(left=0)  # only now: a limit set earlier would stop the scaling
        svg = as_svg(canvas, "glance")
    return [
        figure(
            svg,
            "Mean average precision by class over the whole gallery, best entry first. "
            "Mark: mean over seeds; bar: 95 % bootstrap interval over queries; small "
            "ticks: the seeds; dashed: the expectation of random rankings.",
        )
    ]


def _scores(panel: Axes, standing: Standing, direction: str) -> None:
    for place, name in enumerate(standing.ranked):
        row, look = standing.row(name, direction, HEADLINE), standing.look(name)
        if row["mean"] is None:
            continue
        if row["interval"] is not None:
            panel.plot(row["interval"], [place, place], color=look.color, linewidth=2.2)
        values = [value for value in row["values"] or [] if value is not None]
        panel.plot(values, [place] * len(values), "|", color=INK, markersize=7)
        panel.plot(row["mean"], place, look.marker, color=look.color, markersize=6)
    first = standing.ranked[0]
    random = standing.row(first, direction, "random_mean_average_precision")["mean"]
    if random is not None:
        panel.axvline(random, color=FAINT, linestyle="--", linewidth=1)
    panel.set_title(direction)
    panel.set_xlabel("mAP")
    panel.grid(axis="y", visible=False)


def time_cost(standing: Standing) -> list[str]:
    """Return the figure of score against training time."""
    found = [
        (name, standing.row(name, MEAN, HEADLINE)["train_seconds"], standing.score(name))
        for name in standing.ranked
    ]
    with drawn():
        canvas, ((panel,),) = panels(1, 1, width=7, height=3.8)
        for name, seconds, score in found:
            if not seconds or score is None:
                continue
            look = standing.look(name)
            panel.plot(seconds, score, look.marker, color=look.color, markersize=7)
            panel.annotate(
                name, (seconds, score), (6, 3), textcoords="offset points", fontsize=8
            )
        panel.set_xscale("log")
        panel.margins(x=0.15)
        panel.set_xlabel("training time of one fit, selection included (s, logarithmic)")
        panel.set_ylabel("mAP, mean of directions")
        svg = as_svg(canvas, "time")
    return [
        figure(svg, "What an entry costs and what it gives: up and to the left is better.")
    ]
