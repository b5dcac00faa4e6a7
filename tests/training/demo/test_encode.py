from pathlib import Path

import av
import numpy as np
import pytest

from training.demo.encode import FPS, encode_clip
from training.demo.picture import HEIGHT, WIDTH
from training.demo.sound import SAMPLE_RATE_HZ, sine

SECONDS = 2


def half_lit() -> list[np.ndarray]:
    frames = np.zeros((SECONDS * FPS, HEIGHT, WIDTH, 3), np.uint8)
    frames[:, :, : WIDTH // 2] = (200, 60, 30)
    frames[FPS:, :, WIDTH // 2 :] = (30, 90, 220)
    return list(frames)


def click_at_one_second() -> np.ndarray:
    sound = np.zeros(SECONDS * SAMPLE_RATE_HZ, np.float32)
    burst = sine(np.full(3200, 2000.0)).astype(np.float32)
    sound[SAMPLE_RATE_HZ : SAMPLE_RATE_HZ + 3200] = 0.5 * burst
    return sound


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    encode_clip(path, half_lit(), click_at_one_second())
    return path


def test_streams_are_what_browsers_play(clip: Path) -> None:
    with av.open(str(clip)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert len(container.streams) == 2
        assert (video.codec_context.name, video.pix_fmt) == ("h264", "yuv420p")
        assert (video.width, video.height, video.average_rate) == (WIDTH, HEIGHT, FPS)
        assert (audio.codec_context.name, audio.rate) == ("aac", SAMPLE_RATE_HZ)
        assert container.duration / av.time_base == pytest.approx(SECONDS, abs=0.05)


def test_header_comes_before_data(clip: Path) -> None:
    content = clip.read_bytes()
    assert 0 < content.index(b"moov") < content.index(b"mdat")


def test_colors_and_changes_survive(clip: Path) -> None:
    with av.open(str(clip)) as container:
        decoded = [
            (frame.time, frame.to_ndarray(format="rgb24"))
            for frame in container.decode(video=0)
        ]
    assert len(decoded) == SECONDS * FPS
    for time_s, pixels in decoded:
        right = (30, 90, 220) if time_s >= 1 else (0, 0, 0)
        assert pixels[100, 40].tolist() == pytest.approx((200, 60, 30), abs=8)
        assert pixels[100, 280].tolist() == pytest.approx(right, abs=8)


def test_sound_keeps_its_time(clip: Path) -> None:
    with av.open(str(clip)) as container:
        frames = list(container.decode(audio=0))
    sound = np.concatenate([frame.to_ndarray()[0] for frame in frames])
    start_s = frames[0].time + np.flatnonzero(np.abs(sound) > 0.2)[0] / SAMPLE_RATE_HZ
    assert start_s == pytest.approx(1, abs=0.005)


def test_the_same_content_gives_the_same_bytes(clip: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.mp4"
    encode_clip(again, half_lit(), click_at_one_second())
    assert again.read_bytes() == clip.read_bytes()
