"""Frame statistics: what pictures show, what stands out, where and when it moves.

No weights. A row describes one picture: its colors and edges, what differs from the
clip's background (the median picture), and how it changed since the previous row. A still
picture has one row, no foreground and no motion.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from crossmodal.frontends.checks import require_frames, require_rows
from crossmodal.frontends.columns import layout, total_width
from crossmodal.frontends.frontend import Features, FrontEndSpec, Pooled
from crossmodal.frontends.pictures import (
    GRID,
    HUES,
    ORIENTATIONS,
    background,
    cell_means,
    gradients,
    gray_levels,
    hues,
    shares,
    where,
)
from crossmodal.frontends.timeline import (
    CONTOUR_BINS,
    CONTOUR_STEP_S,
    ENVELOPE_BINS,
    LAGS,
    RATES_HZ,
    binned,
    envelope,
    rhythm,
    timeline_settings,
)
from crossmodal.media.tracks import Track, TrackRequest, VisualRequest
from crossmodal.modality import Modality

FPS = 10.0
HEIGHT = 36
WIDTH = 48
REQUEST = VisualRequest(fps=FPS, height=HEIGHT, width=WIDTH)
CELLS = GRID[0] * GRID[1]
BACKGROUND_FRAMES = 15  # at most, spread evenly over the clip
FOREGROUND_LEAST = 15  # of 255: a channel nearer to the background is background
MOTION_LEAST = 0.03  # of 1: less change of luma is noise

COLUMNS = {
    "color_mean": 3,  # red, green, blue in [0, 1]
    "color_deviation": 3,
    "hue": HUES,  # share of pixels, weighted by saturation
    "brightness": CELLS,  # luma per cell, rows from the top
    "edges": ORIENTATIONS,  # share of gradient per orientation
    "edge_density": CELLS,
    "foreground": CELLS,  # share of pixels that differ from the background
    "foreground_area": 1,
    "foreground_where": 4,  # x, y in [-1, 1] from the left and the top, spread of each
    "foreground_hue": HUES,
    "foreground_edges": ORIENTATIONS,
    "motion": CELLS,  # mean absolute change of luma since the previous row
    "motion_total": 1,
    "motion_where": 4,
    "motion_onset": 1,  # rise of the motion since the previous row, mean over cells
    "flash": 1,  # rise of the mean luma
    "fade": 1,  # its fall
}
AT = layout(COLUMNS)
DIM = total_width(COLUMNS)

MOVING = ("brightness", "foreground", "motion")
POOLED = {
    "mean": DIM,
    "deviation": len(MOVING) * CELLS,
    "motion_envelope": ENVELOPE_BINS,
    "motion_onset_envelope": ENVELOPE_BINS,
    "flash_envelope": ENVELOPE_BINS,
    "area_envelope": ENVELOPE_BINS,
    "motion_rhythm": LAGS + len(RATES_HZ),
    "motion_onset_rhythm": LAGS + len(RATES_HZ),
    "x_contour": CONTOUR_BINS,
    "y_contour": CONTOUR_BINS,
    "where_deviation": 8,
    "peaks": 4,
}
POOLED_AT = layout(POOLED)
POOLED_DIM = total_width(POOLED)


class FrameStats:
    """Pictures to a row of color, edge, foreground and motion columns each, 10 a second."""

    def __init__(self) -> None:
        """Describe it; there is nothing to choose or load."""
        self.request: TrackRequest = REQUEST
        self.spec = FrontEndSpec(
            name="framestats",
            version=1,
            modality=Modality.VISUAL,
            dim=DIM,
            pooled_dim=POOLED_DIM,
            step_s=1 / FPS,
            settings={
                "fps": FPS,
                "height": HEIGHT,
                "width": WIDTH,
                "grid": list(GRID),
                "background_frames": BACKGROUND_FRAMES,
                "foreground_least": FOREGROUND_LEAST,
                "motion_least": MOTION_LEAST,
                "columns": dict(COLUMNS),
                "pooled_columns": dict(POOLED),
                **timeline_settings(),
            },
        )

    def extract(self, track: Track) -> Features:
        """Return one row per frame.

        Raises:
            ShapeError: If the track is no frames of 36x48.
            NoTrackError: If it holds no frame.
        """
        frames = require_frames(track, REQUEST)
        channels = np.ascontiguousarray(np.moveaxis(frames.pixels, 3, 0))
        gray = gray_levels(channels)
        hue, chroma = hues(channels)
        orientation, strength = gradients(gray)
        planes = channels.reshape(3, len(gray), -1).astype(np.float32) / np.float32(255)
        mean = planes.mean(axis=2)
        square = np.einsum("ctp,ctp->ct", planes, planes) / planes.shape[2]
        mask = _foreground_mask(channels)
        foreground = mask.astype(np.float32)
        all_hues, foreground_hues = shares(hue, chroma, HUES, mask)
        all_edges, foreground_edges = shares(orientation, strength, ORIENTATIONS, mask)
        parts = {
            "color_mean": mean.T,
            "color_deviation": np.sqrt(np.maximum(square - mean**2, 0.0)).T,
            "hue": all_hues,
            "brightness": cell_means(gray.astype(np.float32)) / 255,
            "edges": all_edges,
            "edge_density": cell_means(strength),
            "foreground": cell_means(foreground),
            "foreground_area": foreground.mean(axis=(1, 2))[:, None],
            "foreground_where": where(foreground),
            "foreground_hue": foreground_hues,
            "foreground_edges": foreground_edges,
            **_motion(gray.astype(np.float32) / np.float32(255)),
        }
        rows: Features = np.concatenate([parts[name] for name in COLUMNS], axis=1).astype(
            np.float32
        )
        return rows

    def pool(self, features: Features) -> Pooled:
        """Return the row of a whole clip; its parts are named in ``POOLED``.

        Raises:
            ShapeError: If the width is not that of a row or there is no row.
        """
        rows = require_rows(features, DIM).astype(np.float64)
        columns = {name: rows[:, place] for name, place in AT.items()}
        motion = columns["motion_total"][:, 0]
        onset = columns["motion_onset"][:, 0]
        flash = columns["flash"][:, 0]
        area = columns["foreground_area"][:, 0]
        x, y = columns["foreground_where"][:, 0], columns["foreground_where"][:, 1]
        step_s = self.spec.step_s
        places = ("foreground_where", "motion_where")
        parts = {
            "mean": rows.mean(axis=0) * _SCALE,
            "deviation": np.concatenate(
                [columns[name].std(axis=0) * _SCALE[AT[name]] for name in MOVING]
            ),
            "motion_envelope": envelope(motion, step_s),
            "motion_onset_envelope": envelope(onset, step_s),
            "flash_envelope": envelope(flash, step_s),
            "area_envelope": envelope(area, step_s),
            "motion_rhythm": rhythm(motion, step_s),
            "motion_onset_rhythm": rhythm(onset, step_s),
            "x_contour": binned(x, step_s, CONTOUR_STEP_S, CONTOUR_BINS, weights=area),
            "y_contour": binned(y, step_s, CONTOUR_STEP_S, CONTOUR_BINS, weights=area),
            "where_deviation": np.concatenate(
                [2.0 * columns[name].std(axis=0) for name in places]
            ),
            "peaks": np.sqrt([motion.max(), onset.max(), flash.max(), area.max()]),
        }
        pooled: Pooled = np.concatenate([parts[name] for name in POOLED]).astype(np.float32)
        return pooled


def _scale() -> np.ndarray:
    """Return what brings each column's mean to the order of one."""
    factors = {"edge_density": 5.0, "motion": 20.0, "motion_total": 20.0}
    factors |= {"foreground": 4.0, "foreground_area": 4.0}
    factors |= {"motion_onset": 40.0, "flash": 40.0, "fade": 40.0}
    return np.concatenate(
        [np.full(width, factors.get(name, 1.0)) for name, width in COLUMNS.items()]
    )


_SCALE = _scale()


def _foreground_mask(
    channels: UInt8[np.ndarray, "3 time height width"],
) -> Bool[np.ndarray, "time height width"]:
    """Return where a channel differs from the clip's background."""
    still = background(channels, BACKGROUND_FRAMES)
    low = np.where(still > FOREGROUND_LEAST, still - FOREGROUND_LEAST, 0).astype(np.uint8)
    high = np.where(still < 255 - FOREGROUND_LEAST, still + FOREGROUND_LEAST, 255)
    outside = (channels < low) | (channels > high.astype(np.uint8))
    mask: np.ndarray = np.any(outside, axis=0)
    return mask


def _motion(gray: Float32[np.ndarray, "time height width"]) -> dict[str, np.ndarray]:
    """Return the columns of change since the previous row; the first has none.

    Motion is the mean of two changes: where frames were sampled from a film of another
    rate, gaps of two lengths alternate, and their sum is steady.
    """
    change = np.abs(np.diff(gray, axis=0, prepend=gray[:1]))
    change = np.where(change > MOTION_LEAST, change, np.float32(0))
    cells = cell_means(change)
    cells = (cells + np.concatenate([cells[:1], cells[:-1]])) / 2
    rise = np.maximum(np.diff(cells, axis=0, prepend=cells[:1]), 0.0)
    brighter = np.diff(gray.mean(axis=(1, 2)), prepend=gray[0].mean())[:, None]
    return {
        "motion": cells,
        "motion_total": cells.mean(axis=1, keepdims=True),
        "motion_where": where(change),
        "motion_onset": rise.mean(axis=1, keepdims=True),
        "flash": np.maximum(brighter, 0.0),
        "fade": np.maximum(-brighter, 0.0),
    }
