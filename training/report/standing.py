"""Standing: the entries of a comparison from best to worst, and how each one looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from crossmodal.modality import Direction
from training.compare.request import BASELINE
from training.compare.results import Results
from training.compare.rows import HEADLINE, MEAN
from training.report.drawing import Style, style

MOST_LINES = 7  # entries in one figure beside the baseline: more cannot be told apart


@dataclass(frozen=True)
class Standing:
    """A comparison's entries by mean average precision, the mean of all directions."""

    results: Results

    @cached_property
    def ranked(self) -> tuple[str, ...]:
        """Names of the entries with a score, best first."""
        scored = [name for name in self.results.scored if self.score(name) is not None]
        return tuple(sorted(scored, key=lambda name: -(self.score(name) or 0.0)))

    @cached_property
    def shown(self) -> tuple[str, ...]:
        """The best entries and the baseline: those that figures draw."""
        methods = [name for name in self.ranked if not self.is_baseline(name)]
        baseline = [name for name in self.ranked if self.is_baseline(name)]
        return (*methods[:MOST_LINES], *baseline[:1])

    def best(self, count: int) -> tuple[str, ...]:
        """Return the best entries, the baseline left out unless it is alone."""
        methods = [name for name in self.ranked if not self.is_baseline(name)]
        return tuple(methods[:count] or self.ranked[:count])

    def is_baseline(self, name: str) -> bool:
        """Whether the entry is the random baseline."""
        return bool(self.results.entry(name)["method"] == BASELINE)

    def score(self, name: str) -> float | None:
        """Return the entry's mean average precision over all directions."""
        value: float | None = self.row(name, MEAN, HEADLINE)["mean"]
        return value

    def row(self, name: str, direction: object, metric: str) -> Mapping[str, Any]:
        """Return one row of the table."""
        return self.results.row(name, str(direction), metric)

    def curves(self, name: str, direction: Direction) -> Mapping[str, Any]:
        """Return a direction's curves; empty for an entry not scored in it."""
        if not any(direction in o.directions for o in self.results.of(name)):
            return {}
        return self.results.curves(name, direction)

    def look(self, name: str) -> Style:
        """Return how the entry looks, the same in every figure."""
        return style(self.ranked.index(name))

    @property
    def left_out(self) -> str:
        """A sentence on the entries that figures do not draw; empty if there are none."""
        missing = len(self.ranked) - len(self.shown)
        if not missing:
            return ""
        return f" Drawn: {', '.join(self.shown)}; the other {missing} are in the table."


def number(value: float | None, digits: int = 3) -> str:
    """Return a number for a table cell, ``-`` where there is none."""
    return "-" if value is None else f"{value:.{digits}f}"


def names(entries: Sequence[str]) -> str:
    """Return names as an enumeration."""
    return ", ".join(entries)
