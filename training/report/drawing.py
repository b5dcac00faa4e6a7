"""Drawing: matplotlib figures as SVG inside a page, told apart without color too."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from training.config import Number

INK, FAINT = "#222222", "#8a8a8a"
COLORS = (
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#7a5c00", "#56b4e9", "#e69f00", "#000000",
)  # fmt: skip
"""Okabe and Ito's colors, told apart by color-blind eyes; the yellow is darkened."""
DASHES: Sequence[Any] = (
    "-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (6, 1.5, 1.2, 1.5)), (0, (9, 3)),
    (0, (3, 1, 1, 1, 1, 1)), (0, (2, 4)), (0, (12, 2, 2, 2)),
)  # fmt: skip
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">", "h", "d")
HATCHES = ("", "////", "....", "xxxx", "----", "\\\\\\\\", "oo", "++")
SETTINGS: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["Helvetica", "Arial", "Liberation Sans", "DejaVu Sans"],
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "xtick.color": INK,
    "ytick.color": INK,
    "hatch.linewidth": 0.7,
    "legend.frameon": False,
    "legend.handlelength": 3.2,
    "lines.linewidth": 1.5,
    "lines.markersize": 4.5,
    "svg.fonttype": "none",
}
RASTER_DPI = 100  # of matrices, whose cells are flat


@dataclass(frozen=True, slots=True)
class Style:
    """How one entry looks in every figure of a report."""

    color: str
    dash: Any
    marker: str
    hatch: str

    @property
    def line(self) -> dict[str, Any]:
        """Arguments of a line."""
        return {"color": self.color, "linestyle": self.dash, "marker": self.marker}

    @property
    def bar(self) -> dict[str, Any]:
        """Arguments of a bar: the hatch tells it apart in black and white."""
        return {
            "facecolor": _lighter(self.color),
            "edgecolor": self.color,
            "hatch": self.hatch,
            "linewidth": 0.8,
        }


def style(number: int) -> Style:
    """Return the look of the entry of that number; 8 x 8 x 12 repeat far apart."""
    return Style(
        color=COLORS[number % len(COLORS)],
        dash=DASHES[(number + number // len(COLORS)) % len(DASHES)],
        marker=MARKERS[number % len(MARKERS)],
        hatch=HATCHES[(number + number // len(COLORS)) % len(HATCHES)],
    )


@contextmanager
def drawn() -> Iterator[None]:
    """Use the report's settings for all that is drawn inside."""
    with rc_context(SETTINGS):
        yield


def panels(
    rows: int, columns: int, *, width: Number, height: Number, **options: Any
) -> tuple[Figure, list[list[Axes]]]:
    """Return a figure and its axes by row and column.

    Args:
        rows: Rows of panels.
        columns: Panels in a row.
        width: Of one panel, in inches.
        height: Of one panel, in inches.
        options: For ``Figure.subplots``.
    """
    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, **options)
    return figure, [list(row) for row in axes]


def as_svg(figure: Figure, name: str) -> str:
    """Return a figure as an ``<svg>`` element that stands inside HTML.

    The same figure gives the same text; no address is left in it.

    Args:
        figure: What to draw.
        name: Unique in the page: put before every id in the drawing.
    """
    text = io.StringIO()
    with rc_context({"svg.hashsalt": name}):
        FigureCanvasSVG(figure)
        figure.savefig(text, format="svg", dpi=RASTER_DPI, metadata={"Date": None})
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r' xmlns(:xlink)?="[^"]*"', "", svg)
    svg = svg.replace("xlink:href=", "href=")
    # What bears the id of an earlier part is the same as it, as ids come from content.
    seen: Counter[str] = Counter()

    def named(match: re.Match[str]) -> str:
        seen[match[1]] += 1
        again = f"-{seen[match[1]]}" if seen[match[1]] > 1 else ""
        return f'id="{name}-{match[1]}{again}"'

    svg = re.sub(r'\bid="([^"]*)"', named, svg)
    svg = re.sub(r'href="#', f'href="#{name}-', svg)
    svg = re.sub(r"url\(#", f"url(#{name}-", svg)
    return _share_styles(svg, name).strip()


def _share_styles(svg: str, name: str) -> str:
    """Write the style of repeated marks once instead of at every mark."""
    shared: dict[str, str] = {}

    def named(mark: re.Match[str]) -> str:
        look = shared.setdefault(mark[2], f"{name}-look{len(shared)}")
        return f'{mark[1]}class="{look}"'

    svg = re.sub(r'(<use [^>]*?)style="([^"]*)"', named, svg)
    rules = "".join(f".{look}{{{style}}}" for style, look in shared.items())
    head, end, rest = svg.partition(">")
    return f"{head}{end}<style>{rules}</style>{rest}" if rules else svg


def write_cell(panel: Axes, row: int, column: int, text: str, *, light: bool) -> None:
    """Write into the middle of a matrix's cell.

    Args:
        panel: Where the matrix is.
        row: Of the cell.
        column: Of the cell.
        text: What to write.
        light: Whether the cell is dark.
    """
    written = panel.text(
        column, row, text, ha="center", va="center", fontsize=7,
        color="white" if light else INK,
    )  # fmt: skip
    written.set_in_layout(False)  # it cannot overflow, and measuring each is slow


def _lighter(color: str) -> str:
    parts = (int(color[at : at + 2], 16) for at in (1, 3, 5))
    return "#" + "".join(f"{round(255 - (255 - part) * 0.45):02x}" for part in parts)
