"""Checks of what front ends are given: tracks as asked for, rows of their own width."""

from __future__ import annotations

import numpy as np

from crossmodal.errors import NoTrackError, ShapeError
from crossmodal.frontends.frontend import Features
from crossmodal.media.tracks import AudioRequest, Frames, Track, VisualRequest, Waveform


def require_waveform(track: Track, request: AudioRequest) -> Waveform:
    """Return the track if it is sound as asked for.

    Raises:
        ShapeError: If it is no waveform, or of another rate than asked for.
        NoTrackError: If it holds no sample.
    """
    if not isinstance(track, Waveform):
        raise ShapeError(f"expected a waveform, got {type(track).__name__}")
    if track.sample_rate_hz != request.sample_rate_hz:
        raise ShapeError(
            f"expected a waveform at {request.sample_rate_hz} Hz, "
            f"got {track.sample_rate_hz} Hz: decode it with the front end's request"
        )
    if not len(track.samples):
        raise NoTrackError("the sound track holds no sample")
    return track


def require_frames(track: Track, request: VisualRequest) -> Frames:
    """Return the track if it is pictures of the size asked for.

    Raises:
        ShapeError: If it is not pictures, or they have another size than asked for.
        NoTrackError: If it holds no frame.
    """
    if not isinstance(track, Frames):
        raise ShapeError(f"expected frames, got {type(track).__name__}")
    height, width = track.pixels.shape[1:3]
    if (height, width) != (request.height, request.width):
        raise ShapeError(
            f"expected frames of {request.height}x{request.width} (height x width), "
            f"got {height}x{width}: decode them with the front end's request"
        )
    if not len(track.pixels):
        raise NoTrackError("the picture track holds no frame")
    return track


def require_rows(features: Features, dim: int) -> Features:
    """Return the features if there is a row and every row has the width.

    Raises:
        ShapeError: If the width is another, there is no row, or a value is not finite.
    """
    if features.ndim != 2 or features.shape[1] != dim or not len(features):
        raise ShapeError(
            f"expected features of shape (1 or more, {dim}), got {features.shape}"
        )
    if not np.isfinite(features).all():
        raise ShapeError("expected finite features, got NaN or infinity")
    return features
