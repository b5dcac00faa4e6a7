"""Curves of many rankings: precision and recall by depth, precision by recall.

Conventions: at depth k precision is hits / k and recall hits / R, hits being expected
over random orders of ties; curves are means over the rankings with a relevant item.
Interpolated precision at a recall level is the best precision at that recall or beyond,
with the i-th relevant item of a ranking standing at its expected rank; level 0 takes
the best of all.

Source:
    Manning, Raghavan & Schütze, Introduction to Information Retrieval, §8.4.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Int64

from crossmodal.metrics.ties import TieGroups

LEVELS = 100  # recall in steps of 1 %
SCOPES = (10, 20, 50, *range(100, 1001, 100))


def mass_by_depth(groups: TieGroups, columns: int) -> Float64[np.ndarray, "2 ranks"]:
    """Sum over rankings the relevant mass at each rank, a tie's spread over its places.

    Args:
        groups: Tie groups of some rankings.
        columns: Items of the longest ranking.

    Returns:
        Two rows, in hits and in hits / R; those of several blocks add up.
    """
    hits = groups.relevant.astype(np.float64)
    tied = np.flatnonzero(groups.size > 1)
    above, size = groups.above[tied], groups.size[tied]
    rows = []
    for mass in (hits, hits / groups.total[groups.ranking]):
        share = mass[tied] / size
        mass[tied] = 0.0
        spread = np.bincount(above, share, columns + 1)
        spread -= np.bincount(above + size, share, columns + 1)
        rows.append(np.bincount(groups.above, mass, columns) + np.cumsum(spread)[:-1])
    return np.stack(rows).astype(np.float64)  # bincount of nothing is of integers


def precision_recall_by_depth(
    mass: Float64[np.ndarray, "2 ranks"], rankings: int
) -> tuple[Float64[np.ndarray, "ranks"], Float64[np.ndarray, "ranks"]]:
    """Return mean precision and mean recall at depths 1, 2, ….

    Args:
        mass: Sums of `mass_by_depth`.
        rankings: Rankings with a relevant item that were summed, at least 1.
    """
    hits, recall = np.cumsum(mass, axis=1) / rankings
    precision: Float64[np.ndarray, "ranks"] = hits / np.arange(1, len(hits) + 1)
    return precision, recall


def sum_interpolated(groups: TieGroups) -> Float64[np.ndarray, "101"]:
    """Sum over rankings the interpolated precision at recall 0, 0.01, …, 1."""
    precision = _at_each_item(groups)
    answered = np.flatnonzero(groups.total)
    total = groups.total[answered]
    # One running maximum from the back serves all rankings: 2 per ranking lifts each
    # above the ones behind it, as precision is at most 1.
    lift = 2.0 * np.arange(len(total), 0, -1)
    precision += np.repeat(lift, total)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    wanted = -(-np.arange(LEVELS + 1)[:, None] * total // LEVELS)  # ceil
    place = np.cumsum(total) - total + np.maximum(wanted, 1) - 1
    levels: Float64[np.ndarray, "101"] = (best[place] - lift).sum(axis=1)
    return levels


def choose_depths(depths: int, points: int = 200) -> Int64[np.ndarray, "points"]:
    """Choose depths for a drawn curve: all small ones, then ever wider steps."""
    return np.unique(np.geomspace(1, depths, min(points, depths)).round().astype(np.int64))


def _at_each_item(groups: TieGroups) -> Float64[np.ndarray, "items"]:
    """Return precision at each relevant item, standing at its expected rank."""
    alone = (groups.before + 1.0) / (groups.above + 1.0)
    tied = np.flatnonzero(groups.size > 1)
    if not tied.size:
        return alone
    count, size = groups.relevant[tied], groups.size[tied]
    starts = np.cumsum(count) - count
    inside = np.arange(count.sum()) - np.repeat(starts, count) + 1
    spacing = np.repeat((size + 1) / (count + 1), count)
    rank = np.repeat(groups.above[tied], count) + inside * spacing
    precision: Float64[np.ndarray, "items"] = np.repeat(alone, groups.relevant)
    first = np.cumsum(groups.relevant) - groups.relevant
    items = np.repeat(first[tied], count) + inside - 1
    precision[items] = (np.repeat(groups.before[tied], count) + inside) / rank
    return precision
