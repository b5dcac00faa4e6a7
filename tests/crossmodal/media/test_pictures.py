"""Pictures: which ones are chosen, that skipping changes none, scale and rotation."""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest

from crossmodal.media.container import find_stream, open_container
from crossmodal.media.decoder import Decoder
from crossmodal.media.limits import MediaLimits
from crossmodal.media.needed import decode_needed, needed_runs, wanted_packets
from crossmodal.media.reader import StreamReader
from crossmodal.media.tracks import Frames, TrackRequest, VisualRequest
from crossmodal.modality import Modality

Requests = Mapping[Modality, TrackRequest]

CODECS = {
    "h264, groups of 12, 3 b-frames": ("mp4", "libx264", {"g": "12", "bf": "3"}),
    "h264, open groups": (
        "mp4",
        "libx264",
        {"g": "12", "bf": "3", "x264-params": "open-gop=1"},
    ),
    "h264, one group": ("matroska", "libx264", {"g": "1000", "bf": "2"}),
    "h264 in ts": ("mpegts", "libx264", {"g": "25"}),
    "hevc": ("mp4", "libx265", {"g": "12", "x265-params": "log-level=none:pools=none"}),
    "mpeg4, b-frames": ("mp4", "mpeg4", {"g": "12", "bf": "2"}),
    "mpeg2, b-frames": ("mpegts", "mpeg2video", {"g": "12", "bf": "2"}),
    "vp8": ("webm", "libvpx", {"g": "20", "deadline": "realtime"}),
    "vp9": ("webm", "libvpx-vp9", {"g": "20", "deadline": "realtime", "cpu-used": "8"}),
    "motion jpeg": ("avi", "mjpeg", {}),
}


def see(decoder: Decoder, video: bytes, request: VisualRequest, **stretch: float) -> Frames:
    clip = decoder.decode(video, {Modality.VISUAL: request}, **stretch)
    frames = clip.tracks[Modality.VISUAL]
    assert isinstance(frames, Frames)
    return frames


def all_frames(video: bytes) -> tuple[np.ndarray, list[av.VideoFrame]]:
    """Every picture and its time from the first: the slow and obvious decoder."""
    with av.open(io.BytesIO(video)) as container:
        frames = list(container.decode(video=0))
    times_s = np.array([float(frame.pts * frame.time_base) for frame in frames])
    return times_s - times_s.min(), frames


@pytest.mark.parametrize("name", CODECS)
def test_skipping_changes_no_pixel_and_the_shown_picture_is_chosen(
    decoder: Decoder, making: SimpleNamespace, name: str
) -> None:
    container, codec, options = CODECS[name]
    pixel_format = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    video = making.encode(
        container,
        pictures=making.Pictures(
            codec, making.numbered_frames(90), options=options, pixel_format=pixel_format
        ),
    )
    times_s, frames = all_frames(video)
    for start_s, fps in ((0.0, 1.0), (1.1, 3.0), (0.0, 25.0)):
        seen = see(decoder, video, VisualRequest(fps, 32, 32), start_s=start_s, end_s=3.6)
        assert len(seen.times_s) == int(np.ceil((3.6 - start_s) * fps - 1e-6))
        for moment_s, pixels in zip(seen.times_s, seen.pixels, strict=True):
            shown = frames[np.flatnonzero(times_s <= moment_s + 1e-3)[-1]]
            expected = shown.reformat(32, 32, "rgb24", interpolation="BILINEAR")
            np.testing.assert_array_equal(pixels, expected.to_ndarray())
            assert making.read_number(pixels) == round((moment_s + 1e-3) * 25 - 0.5)


def test_a_slow_video_repeats_its_pictures(
    decoder: Decoder, making: SimpleNamespace
) -> None:
    video = making.encode(
        "mp4", pictures=making.Pictures("libx264", making.numbered_frames(4), fps=2)
    )
    seen = see(decoder, video, VisualRequest(6.0, 32, 32))
    assert [making.read_number(p) for p in seen.pixels] == [
        0,
        0,
        0,
        1,
        1,
        1,
        2,
        2,
        2,
        3,
        3,
        3,
    ]
    np.testing.assert_allclose(seen.times_s, np.arange(12) / 6)


def test_pictures_of_uneven_length_are_those_a_player_shows(
    decoder: Decoder, making: SimpleNamespace
) -> None:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska") as output:
        stream = output.add_stream("libx264", rate=1000)
        stream.width = stream.height = 64
        stream.codec_context.time_base = Fraction(1, 1000)
        begins_ms = [0, 100, 1_900, 2_050, 3_000]
        for array, pts in zip(making.numbered_frames(5), begins_ms, strict=True):
            frame = av.VideoFrame.from_ndarray(array, format="rgb24")
            frame.pts = pts
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    seen = see(decoder, buffer.getvalue(), VisualRequest(1.0, 32, 32))
    assert [making.read_number(p) for p in seen.pixels[:3]] == [0, 1, 2]


def test_pictures_are_stretched_to_the_size(decoder: Decoder) -> None:
    left_red = np.zeros((60, 100, 3), np.uint8)
    left_red[:, :50, 0] = 200
    seen = see(decoder, jpeg(left_red), VisualRequest(1.0, 30, 20))
    assert seen.pixels.shape == (1, 30, 20, 3)
    assert seen.pixels[0, :, :8, 0].min() > 180
    assert seen.pixels[0, :, 12:].max() < 25


def jpeg(pixels: np.ndarray, orientation: int | None = None) -> bytes:
    context = av.CodecContext.create("mjpeg", "w")
    context.height, context.width = pixels.shape[:2]
    context.pix_fmt, context.time_base = "yuvj444p", Fraction(1, 25)
    frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format="yuvj444p")
    content = b"".join(bytes(p) for p in [*context.encode(frame), *context.encode(None)])
    if orientation is None:
        return content
    entry = struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0)
    exif = b"Exif\0\0MM\0*" + struct.pack(">IH", 8, 1) + entry + bytes(4)
    return content[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + content[2:]


@pytest.mark.parametrize(
    ("orientation", "corner"), [(1, (0, 0)), (3, (1, 1)), (6, (0, 1)), (8, (1, 0))]
)
def test_a_picture_is_turned_as_its_camera_notes(
    decoder: Decoder, orientation: int, corner: tuple[int, int]
) -> None:
    """EXIF 6 says that the top left of what is stored belongs at the top right."""
    stored = np.zeros((40, 80, 3), np.uint8)
    stored[:20, :40] = (220, 40, 40)
    size = (40, 80) if orientation in (1, 3) else (80, 40)
    seen = see(decoder, jpeg(stored, orientation), VisualRequest(1.0, *size)).pixels[0]
    quarters = seen[..., 0].reshape(2, size[0] // 2, 2, size[1] // 2).mean(axis=(1, 3))
    assert np.unravel_index(quarters.argmax(), (2, 2)) == corner
    assert quarters[corner] > 200


def test_a_video_is_turned_as_its_camera_notes(
    decoder: Decoder, making: SimpleNamespace
) -> None:
    """The track's matrix says: turn clockwise by a quarter to show."""
    stored = np.zeros((40, 80, 3), np.uint8)
    stored[:20, :40] = (220, 40, 40)
    video = making.encode("mp4", pictures=making.Pictures("libx264", [stored] * 5))
    one = 0x10000
    upright = struct.pack(">9i", one, 0, 0, 0, one, 0, 0, 0, 0x4000 * one)
    turned = struct.pack(">9i", 0, one, 0, -one, 0, 0, 0, 0, 0x4000 * one)
    track = video.index(b"tkhd")
    video = video[:track] + video[track:].replace(upright, turned, 1)
    seen = see(decoder, video, VisualRequest(1.0, 80, 40)).pixels[0]
    quarters = seen[..., 0].reshape(2, 40, 2, 20).mean(axis=(1, 3))
    assert np.unravel_index(quarters.argmax(), (2, 2)) == (0, 1)
    assert quarters[0, 1] > 190


@pytest.mark.parametrize(
    ("options", "most"),
    [
        ({"g": "12", "bf": "0"}, 8),
        ({"g": "100", "bf": "3", "x264-params": "b-pyramid=0"}, 60),
    ],
)
def test_what_is_not_needed_is_not_decoded(
    making: SimpleNamespace, tmp_path: Path, options: dict[str, str], most: int
) -> None:
    """Of 100 pictures, four wanted: key pictures, or all that others refer to."""
    frames = making.numbered_frames(100)
    path = tmp_path / "clip.mp4"
    path.write_bytes(
        making.encode("mp4", pictures=making.Pictures("libx264", frames, options=options))
    )
    limits = MediaLimits()
    with io.FileIO(path) as file, open_container(file, limits) as container:
        reader = StreamReader(container, find_stream(container, "video", limits))
        packets = list(reader.packets())
        decoded = list(decode_needed(reader, packets, [0.0, 0.96, 1.92, 2.88]))
    assert 4 <= len(decoded) <= most


def test_a_still_ignores_the_stretch(decoder: Decoder) -> None:
    pixels = np.full((8, 8, 3), 99, np.uint8)
    seen = see(decoder, jpeg(pixels), VisualRequest(1.0, 8, 8), start_s=5.0, end_s=6.0)
    assert seen.times_s.tolist() == [0.0]


def test_wanted_packets_are_those_last_begun() -> None:
    # In decoding order: I at 0, P at 0.3, B at 0.1 and 0.2.
    times_s = [0.0, 0.3, 0.1, 0.2]
    assert wanted_packets(times_s, [0.0]) == {0}
    assert wanted_packets(times_s, [0.05, 0.15, 0.25]) == {0, 2, 3}
    assert wanted_packets(times_s, [0.2999]) == {1}  # within a millisecond
    assert wanted_packets(times_s, [9.0]) == {1}
    assert wanted_packets([1.0, 2.0], [0.5]) == {0}  # before the first: the first


@pytest.mark.parametrize(
    ("is_key", "times", "wanted", "runs"),
    [
        ("KPPKPP", [0, 1, 2, 3, 4, 5], {0, 3}, [(0, 1), (3, 4)]),
        ("KPPKPP", [0, 1, 2, 3, 4, 5], {1}, [(0, 2)]),
        ("KPPKPP", [0, 1, 2, 3, 4, 5], {4}, [(3, 5)]),
        ("KPPKPP", [0, 1, 2, 3, 4, 5], {2, 3}, [(0, 4)]),
        # The packets after the second key picture are shown before it.
        ("KPPKBB", [0, 1, 2, 5, 3, 4], {4}, [(0, 5)]),
        ("KPPKBB", [0, 1, 2, 5, 3, 4], {3}, [(3, 4)]),
        ("KPPKBBKBB", [0, 1, 2, 5, 3, 4, 8, 6, 7], {7}, [(3, 8)]),
        # Without a key picture at the start everything may matter.
        ("PPKP", [0, 1, 2, 3], {0, 3}, [(0, 1), (2, 4)]),
        ("K", [0], {0}, [(0, 1)]),
    ],
)
def test_needed_runs_by_hand(
    is_key: str, times: list[int], wanted: set[int], runs: list[tuple[int, int]]
) -> None:
    keys = [letter == "K" for letter in is_key]
    assert list(needed_runs(keys, [float(t) for t in times], wanted)) == runs
