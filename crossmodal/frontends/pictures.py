"""Pictures: colors, edges and places of many frames at once, on 8-bit values.

Hue and gradient come from tables indexed by quantized values: five times as fast as
computing them for each pixel, and the histograms are no finer than the tables.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int16, UInt8

GRID = (3, 4)  # cells down and across
HUES = 12
ORIENTATIONS = 8  # of half a turn

Channels = UInt8[np.ndarray, "3 time height width"]
Planes = Float32[np.ndarray, "time height width"]
Bins = UInt8[np.ndarray, "time height width"]

_COLOR_BITS = 5  # kept of each channel
_GRADIENT_SHIFT = 2  # differences are counted in steps of 4 levels of 255
_GRADIENT_REACH = 256 >> _GRADIENT_SHIFT  # table entries on either side of no change


def gray_levels(channels: Channels) -> Int16[np.ndarray, "time height width"]:
    """Return brightness 0 to 255 as ITU-R BT.601 weighs it."""
    red, green, blue = channels.astype(np.uint16)
    levels: np.ndarray = (77 * red + 150 * green + 29 * blue) >> 8
    return levels.astype(np.int16)


def background(channels: Channels, frames: int) -> UInt8[np.ndarray, "3 1 height width"]:
    """Return the median picture of at most ``frames`` frames spread over the clip.

    Convention: of an even number of frames it is the lower of the two middle values.
    """
    time = channels.shape[1]
    count = min(frames, time)
    chosen = channels[:, np.linspace(0, time - 1, count).round().astype(int)]
    middle = (count - 1) // 2
    median: np.ndarray = np.partition(chosen, middle, axis=1)[:, middle : middle + 1]
    return median


def hues(channels: Channels) -> tuple[Bins, Planes]:
    """Return each pixel's hue bin and its chroma in [0, 1].

    Hue 0 is centered on red, 4 on green, 8 on blue; gray has no chroma.
    """
    table, chroma = _hue_table()
    red, green, blue = (channels >> (8 - _COLOR_BITS)).astype(np.uint16)
    color = (red << (2 * _COLOR_BITS)) | (green << _COLOR_BITS) | blue
    return table[color], chroma[color]


def gradients(gray: Int16[np.ndarray, "time height width"]) -> tuple[Bins, Planes]:
    """Return the orientation bin of the gradient and its strength in [0, 1.42].

    Central differences; the outermost pixels have none. Bin 0 is a gradient along x,
    that is a vertical edge; bin 4 is along y.
    """
    table, strength = _gradient_table()
    across = np.zeros_like(gray)
    down = np.zeros_like(gray)
    across[:, 1:-1, 1:-1] = gray[:, 1:-1, 2:] - gray[:, 1:-1, :-2]
    down[:, 1:-1, 1:-1] = gray[:, 2:, 1:-1] - gray[:, :-2, 1:-1]
    half = 1 << (_GRADIENT_SHIFT - 1)
    place = ((down + half) >> _GRADIENT_SHIFT) + _GRADIENT_REACH
    place *= 2 * _GRADIENT_REACH + 1
    place += ((across + half) >> _GRADIENT_SHIFT) + _GRADIENT_REACH
    return table[place], strength[place]


def shares(
    bins: Bins, weights: Planes, count: int, mask: Bool[np.ndarray, "time height width"]
) -> tuple[Float64[np.ndarray, "time bins"], Float64[np.ndarray, "time bins"]]:
    """Return each frame's share of weight per bin: of all pixels, and of the masked.

    Where there is no weight the shares are zeros.
    """
    time = len(bins)
    place = (bins + np.uint8(count) * mask).reshape(time, -1)
    flat = place + 2 * count * np.arange(time)[:, None]
    sums = np.bincount(flat.ravel(), weights.ravel(), minlength=2 * time * count)
    outside, inside = np.moveaxis(sums.reshape(time, 2, count), 1, 0)
    return _normalized(outside + inside), _normalized(inside)


def _normalized(
    histogram: Float64[np.ndarray, "time bins"],
) -> Float64[np.ndarray, "time bins"]:
    total = histogram.sum(axis=1, keepdims=True)
    fractions: np.ndarray = np.divide(
        histogram, total, out=np.zeros_like(histogram), where=total > 1e-6
    )
    return fractions


def cell_means(planes: Planes) -> Float32[np.ndarray, "time cells"]:
    """Return the mean of each cell of the grid, row by row from the top.

    The sides of the frames are multiples of the grid's.
    """
    time, height, width = planes.shape
    down, across = GRID
    columns = planes.reshape(time * height * across, width // across).sum(axis=1)
    cells = columns.reshape(time, down, height // down, across).sum(axis=2)
    means: np.ndarray = cells.reshape(time, down * across) / np.float32(
        height * width / (down * across)
    )
    return means


def where(planes: Planes) -> Float64[np.ndarray, "time 4"]:
    """Return the center of mass x, y and the standard deviation along each.

    x runs from -1 at the left edge to 1 at the right, y from the top to the bottom; an
    empty plane gives zeros.
    """
    height, width = planes.shape[1:]
    profiles = (planes.sum(axis=1), planes.sum(axis=2))
    total = profiles[0].sum(axis=1, dtype=np.float64)
    safe = np.where(total > 0, total, 1.0)
    centers, spreads = [], []
    for profile, length in zip(profiles, (width, height), strict=True):
        ticks = (2 * np.arange(length) + 1) / length - 1
        mean = profile @ ticks / safe
        centers.append(mean)
        spreads.append(np.sqrt(np.maximum(profile @ ticks**2 / safe - mean**2, 0.0)))
    return np.stack([*centers, *spreads], axis=1)


@cache
def _hue_table() -> tuple[np.ndarray, np.ndarray]:
    """Return hue bin and chroma of every color of 5 bits a channel."""
    levels = np.arange(1 << _COLOR_BITS) / ((1 << _COLOR_BITS) - 1)
    red, green, blue = (
        part.ravel() for part in np.meshgrid(levels, levels, levels, indexing="ij")
    )
    top = np.maximum(np.maximum(red, green), blue)
    chroma = top - np.minimum(np.minimum(red, green), blue)
    safe = np.where(chroma > 0, chroma, 1.0)
    sixth = np.where(
        top == red,
        (green - blue) / safe,
        np.where(top == green, 2 + (blue - red) / safe, 4 + (red - green) / safe),
    )
    bins = np.rint(sixth * (HUES / 6)).astype(np.int64) % HUES
    return bins.astype(np.uint8), chroma.astype(np.float32)


@cache
def _gradient_table() -> tuple[np.ndarray, np.ndarray]:
    """Return orientation bin and strength of every pair of quantized differences."""
    levels = np.arange(-_GRADIENT_REACH, _GRADIENT_REACH + 1) / _GRADIENT_REACH
    down, across = np.meshgrid(levels, levels, indexing="ij")
    half_turns = np.arctan2(down, across) / np.pi
    bins = np.rint(half_turns * ORIENTATIONS).astype(np.int64) % ORIENTATIONS
    strength = np.hypot(down, across)
    return bins.ravel().astype(np.uint8), strength.ravel().astype(np.float32)
