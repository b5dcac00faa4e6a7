"""Losses: the total and its terms by epoch, and the validation score beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes

from training.report.drawing import FAINT, INK, as_svg, drawn, panels, style
from training.report.page import figure
from training.report.standing import Standing

TOTAL, VALIDATION, EPOCH = "loss", "validation", "epoch"
NO_LOSSES = ("temperature", "rate", "seconds")  # logged beside the losses

Record = Mapping[str, Any]


def loss_curves(standing: Standing) -> list[str]:
    """Return a figure per entry that trained over epochs, best entry first."""
    return [svg for name in standing.ranked for svg in _of_entry(standing, name)]


def _of_entry(standing: Standing, name: str) -> list[str]:
    runs = [
        (outcome, per_epoch(records)) for outcome, records in standing.results.history(name)
    ]
    runs = [(outcome, records) for outcome, records in runs if records]
    if not runs:
        return []
    first, records = runs[0]
    directions = {str(d) for d in standing.results.directions}
    terms = [
        key for key in _numbers(records) if key not in {*directions, VALIDATION, *NO_LOSSES}
    ]
    checked = [key for key in (VALIDATION, *sorted(directions)) if key in _numbers(records)]
    with drawn():
        columns = 2 if checked else 1
        canvas, (axes,) = panels(1, columns, width=4.8, height=3.0)
        for _, other in runs[1:]:
            _line(axes[0], other, TOTAL, color=FAINT, linewidth=0.7, alpha=0.7)
        for number, key in enumerate(terms):
            _line(axes[0], records, key, label=key, **_plain(number))
        axes[0].set_title(f"{name}: loss")
        axes[0].legend(fontsize=8)
        if checked:
            for _, other in runs[1:]:
                _line(axes[1], other, checked[0], color=FAINT, linewidth=0.7, alpha=0.7)
            for number, key in enumerate(checked):
                _line(axes[1], records, key, label=key, **_plain(number))
            axes[1].set_title(f"{name}: score on validation")
            axes[1].legend(fontsize=8)
        best = first.values["best_epoch"]
        for panel in axes:
            panel.set_xlabel("epoch")
            if best is not None:
                panel.axvline(best, color=INK, linestyle=":", linewidth=1)
        svg = as_svg(canvas, f"loss-{standing.ranked.index(name)}")
    more = "; thin gray: its other fits" if len(runs) > 1 else ""
    kept = "; dotted: the epoch kept" if best is not None else ""
    return [figure(svg, f"{name}, seed {first.seed}: means over each epoch{kept}{more}.")]


def per_epoch(records: Sequence[Record]) -> list[Record]:
    """Return the records that tell of an epoch of training."""
    return [r for r in records if isinstance(r.get(EPOCH), int)]


def _numbers(records: Sequence[Record]) -> list[str]:
    """Return the keys of numbers other than the epoch, the total first."""
    found = dict.fromkeys(
        key
        for record in records
        for key, value in record.items()
        if isinstance(value, float) and key != EPOCH
    )
    return sorted(found, key=lambda key: key != TOTAL)


def _plain(number: int) -> dict[str, Any]:
    look = style(number)
    return {"color": look.color, "linestyle": look.dash}


def _line(panel: Axes, records: Sequence[Record], key: str, **look: Any) -> None:
    there = [(at, r[key]) for at, r in enumerate(records, start=1) if key in r]
    if there:
        panel.plot(*zip(*there, strict=True), **look)
