"""Moments of many rows, a block at a time, blocks shared among the cores.

No standardised, centred or weighted copy of all rows ever exists, and the order in which
blocks add up is fixed, so the number of cores changes no bit. Sums of squares of what is
far from zero cancel in float64; rows are therefore centred on their mean first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float64, Int64

from crossmodal.parallel import in_parallel

BLOCK_ROWS = 2048

Block = Float64[np.ndarray, "some dim"]
Vector = Float64[np.ndarray, "dim"]
Chosen = slice | Int64[np.ndarray, "some"]


@runtime_checkable
class Rows(Protocol):
    """Rows that come into being where they are asked for; an array is the plainest."""

    @property
    def shape(self) -> tuple[int, ...]:
        """How many rows, how wide."""

    def __len__(self) -> int:
        """How many rows."""

    def __getitem__(self, rows: Chosen, /) -> Block:
        """Return some rows in float64."""


@dataclass(frozen=True, slots=True)
class ChosenRows:
    """Some of the rows, in any order and number."""

    rows: Rows
    chosen: Int64[np.ndarray, "chosen"]

    @property
    def shape(self) -> tuple[int, ...]:
        """How many are chosen, how wide they are."""
        return len(self.chosen), self.rows.shape[1]

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, rows: Chosen) -> Block:
        return self.rows[self.chosen[rows]]


def mean_of(rows: Rows) -> Vector:
    """Return the mean row."""
    (total,) = add_up(len(rows), lambda part: (rows[part].sum(axis=0),))
    mean: Vector = total / len(rows)
    return mean


def add_up(
    count: int, summands: Callable[[slice], tuple[np.ndarray, ...]]
) -> tuple[np.ndarray, ...]:
    """Add up what each block of rows contributes, in the order of the blocks.

    Args:
        count: Number of rows, 1 or more.
        summands: Takes a block's rows and returns arrays of its own.
    """
    blocks = (slice(start, start + BLOCK_ROWS) for start in range(0, count, BLOCK_ROWS))
    parts = in_parallel(summands, blocks)
    totals = next(parts)
    for part in parts:
        for total, more in zip(totals, part, strict=True):
            total += more
    return totals
