"""Layout: cells of text under headings, before they become Markdown, LaTeX or HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

MISSING = "-"


@dataclass(frozen=True, slots=True)
class Table:
    """Cells of text under headings."""

    title: str
    headings: Sequence[str]
    lines: Sequence[Sequence[str]]
