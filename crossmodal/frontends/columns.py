"""Columns: the named stretches of a feature row."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate


def layout(widths: Mapping[str, int]) -> Mapping[str, slice]:
    """Return where each named stretch lies, in the order given.

    Args:
        widths: Name to number of columns.
    """
    ends = list(accumulate(widths.values()))
    return {
        name: slice(end - width, end)
        for (name, width), end in zip(widths.items(), ends, strict=True)
    }


def total_width(widths: Mapping[str, int]) -> int:
    """Return the width of the whole row."""
    return sum(widths.values())
