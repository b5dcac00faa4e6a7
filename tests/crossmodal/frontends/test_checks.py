from __future__ import annotations

import numpy as np
import pytest

from crossmodal.errors import NoTrackError, ShapeError
from crossmodal.frontends.checks import require_frames, require_rows, require_waveform
from crossmodal.media.tracks import AudioRequest, Frames, VisualRequest, Waveform

SOUND = AudioRequest(16_000)
PICTURES = VisualRequest(fps=1.0, height=4, width=6)


def waveform(length: int = 8, rate_hz: int = 16_000) -> Waveform:
    return Waveform(np.zeros(length, dtype=np.float32), rate_hz)


def frames(count: int = 2, height: int = 4, width: int = 6) -> Frames:
    return Frames(
        np.zeros((count, height, width, 3), dtype=np.uint8), np.arange(count) / 1.0
    )


def test_tracks_as_asked_for_are_returned_themselves() -> None:
    sound, pictures = waveform(), frames()
    assert require_waveform(sound, SOUND) is sound
    assert require_frames(pictures, PICTURES) is pictures


def test_a_track_of_the_other_kind_is_refused() -> None:
    with pytest.raises(ShapeError, match="expected a waveform, got Frames"):
        require_waveform(frames(), SOUND)
    with pytest.raises(ShapeError, match="expected frames, got Waveform"):
        require_frames(waveform(), PICTURES)


def test_another_rate_is_refused() -> None:
    with pytest.raises(ShapeError, match="at 16000 Hz, got 44100 Hz"):
        require_waveform(waveform(rate_hz=44_100), SOUND)


def test_another_frame_size_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"4x6 \(height x width\), got 6x4"):
        require_frames(frames(height=6, width=4), PICTURES)


def test_empty_tracks_are_no_tracks() -> None:
    with pytest.raises(NoTrackError, match="no sample"):
        require_waveform(waveform(length=0), SOUND)
    with pytest.raises(NoTrackError, match="no frame"):
        require_frames(frames(count=0), PICTURES)


@pytest.mark.parametrize("shape", [(0, 3), (2, 4)])
def test_rows_of_another_shape_are_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(ShapeError, match=r"expected features of shape \(1 or more, 3\)"):
        require_rows(np.zeros(shape, dtype=np.float32), 3)


def test_rows_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ShapeError, match="NaN or infinity"):
        require_rows(np.array([[0.0, np.nan]], dtype=np.float32), 2)
