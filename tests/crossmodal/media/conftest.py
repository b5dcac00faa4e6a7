"""Media made for the tests, and one decoder for all that share its limits."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace

import av
import numpy as np
import pytest

from crossmodal.media.decoder import Decoder
from crossmodal.media.limits import MediaLimits
from crossmodal.media.tracks import AudioRequest, VisualRequest
from crossmodal.modality import Modality

COLORS = {"red": (220, 30, 30), "green": (30, 200, 30), "blue": (40, 40, 220)}


@dataclass(frozen=True)
class Sound:
    """Sound to encode: (channels, time) in [-1, 1]."""

    codec: str
    samples: np.ndarray
    rate_hz: int = 48_000


@dataclass(frozen=True)
class Pictures:
    """Pictures to encode: RGB arrays at a frame rate."""

    codec: str
    frames: Sequence[np.ndarray]
    fps: int = 25
    pixel_format: str = "yuv420p"
    options: dict[str, str] = field(default_factory=dict)


def tone(frequency_hz: float, duration_s: float, rate_hz: int = 48_000) -> np.ndarray:
    t = np.arange(round(duration_s * rate_hz)) / rate_hz
    return 0.5 * np.sin(2 * np.pi * frequency_hz * t)[None]


def color_frames(seconds_each: float = 1.0, fps: int = 25) -> list[np.ndarray]:
    """Red, then green, then blue."""
    count = round(seconds_each * fps)
    return [
        np.full((64, 64, 3), color, np.uint8)
        for color in COLORS.values()
        for _ in range(count)
    ]


def numbered_frames(count: int, size: int = 64) -> list[np.ndarray]:
    """Frames whose number can be read back from sixteen black or white squares."""
    frames = []
    for number in range(count):
        bits = np.array([number >> i & 1 for i in range(16)], np.uint8).reshape(4, 4)
        gray = 40 + 170 * bits.repeat(size // 4, 0).repeat(size // 4, 1)
        frames.append(np.stack([gray] * 3, axis=-1).astype(np.uint8))
    return frames


def read_number(pixels: np.ndarray) -> int:
    side = pixels.shape[0] // 4
    squares = pixels.mean(axis=-1).reshape(4, side, 4, side).mean(axis=(1, 3))
    return int(sum(1 << i for i, level in enumerate(squares.ravel()) if level > 125))


def encode(
    container: str, sound: Sound | None = None, pictures: Pictures | None = None
) -> bytes:
    """Return a file with the tracks given."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as output:
        packets = []
        if pictures is not None:
            packets += _encode_pictures(output, pictures)
        if sound is not None:
            packets += _encode_sound(output, sound)
        packets.sort(key=lambda packet: float(packet.dts * packet.time_base))
        for packet in packets:
            output.mux(packet)
    return buffer.getvalue()


def _encode_pictures(output: av.container.OutputContainer, pictures: Pictures) -> list:
    height, width, _ = pictures.frames[0].shape
    stream = output.add_stream(pictures.codec, rate=pictures.fps, options=pictures.options)
    stream.width, stream.height, stream.pix_fmt = width, height, pictures.pixel_format
    packets = []
    for number, array in enumerate(pictures.frames):
        frame = av.VideoFrame.from_ndarray(array, format="rgb24")
        frame.pts = number
        packets += stream.encode(frame)
    return packets + stream.encode(None)


def _encode_sound(output: av.container.OutputContainer, sound: Sound) -> list:
    channels, length = sound.samples.shape
    layout = {1: "mono", 2: "stereo", 6: "5.1"}[channels]
    options = {"strict": "experimental"} if sound.codec == "vorbis" else {}
    stream = output.add_stream(
        sound.codec, rate=sound.rate_hz, layout=layout, options=options
    )
    resampler = av.AudioResampler(stream.format.name, layout, sound.rate_hz)
    packets = []
    size = stream.codec_context.frame_size or 1024
    for at in range(0, length, size):
        block = np.ascontiguousarray(sound.samples[:, at : at + size], np.float32)
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=layout)
        frame.sample_rate, frame.pts = sound.rate_hz, at
        for converted in resampler.resample(frame):
            packets += stream.encode(converted)
    return packets + stream.encode(None)


def wav_bytes(
    samples: np.ndarray, rate_hz: int, *, format_tag: int = 1, block: int | None = None
) -> bytes:
    """Return a WAV file of (time, channels) samples of any dtype, written by hand."""
    channels, width = samples.shape[1], samples.dtype.itemsize
    block = block or channels * width
    body = samples.tobytes()
    header = b"".join(
        (
            b"RIFF",
            (36 + len(body)).to_bytes(4, "little"),
            b"WAVEfmt ",
            (16).to_bytes(4, "little"),
            format_tag.to_bytes(2, "little"),
            channels.to_bytes(2, "little"),
            rate_hz.to_bytes(4, "little"),
            min(rate_hz * block, 2**32 - 1).to_bytes(4, "little"),
            block.to_bytes(2, "little"),
            (8 * width).to_bytes(2, "little"),
            b"data",
            len(body).to_bytes(4, "little"),
        )
    )
    return header + body


@pytest.fixture(scope="session")
def decoder() -> Iterator[Decoder]:
    """A decoder whose limits are short, as no file of the tests deserves more."""
    with Decoder(MediaLimits(wall_s=120.0, cpu_s=10), workers=2) as decoder:
        decoder.warm()
        yield decoder


@pytest.fixture(scope="session")
def limited(decoder: Decoder) -> Callable[[MediaLimits], Decoder]:
    """The same decoder, so the same processes, under other limits."""

    def under(limits: MediaLimits) -> Decoder:
        twin = copy.copy(decoder)
        twin.limits = limits
        return twin

    return under


@pytest.fixture(scope="session")
def making() -> SimpleNamespace:
    """What makes media, as fixtures are the only way to share code between test files."""
    return SimpleNamespace(
        Sound=Sound,
        Pictures=Pictures,
        encode=encode,
        tone=tone,
        color_frames=color_frames,
        numbered_frames=numbered_frames,
        read_number=read_number,
        wav_bytes=wav_bytes,
    )


@pytest.fixture(scope="session")
def hear() -> dict[Modality, AudioRequest]:
    return {Modality.AUDIO: AudioRequest(16_000)}


@pytest.fixture(scope="session")
def see() -> dict[Modality, VisualRequest]:
    return {Modality.VISUAL: VisualRequest(fps=2.0, height=32, width=32)}


@pytest.fixture(scope="session")
def make() -> Callable[[str], bytes]:
    """Three seconds of a 440 Hz stereo tone and of red, green, blue, by container."""
    made: dict[str, bytes] = {}

    def clip(name: str) -> bytes:
        if name not in made:
            container, sound, pictures = CONTAINERS[name]
            made[name] = encode(
                container,
                Sound(sound, np.repeat(tone(440, 3.0), 2, axis=0)) if sound else None,
                Pictures(*pictures) if pictures else None,
            )
        return made[name]

    return clip


H264 = ("libx264", color_frames())

# Name: FFmpeg's muxer, sound codec, picture codec and frames.
CONTAINERS = {
    "wav": ("wav", "pcm_s16le", None),
    "wav24": ("wav", "pcm_s24le", None),
    "wavfloat": ("wav", "pcm_f32le", None),
    "flac": ("flac", "flac", None),
    "mp3": ("mp3", "libmp3lame", None),
    "ogg": ("ogg", "vorbis", None),
    "opus": ("opus", "libopus", None),
    "aac": ("adts", "aac", None),
    "m4a": ("ipod", "aac", None),
    "mp4": ("mp4", "aac", H264),
    "silent mp4": ("mp4", None, H264),
    "mov": ("mov", "aac", H264),
    "mkv": ("matroska", "flac", H264),
    "webm": ("webm", "libopus", ("libvpx", color_frames())),
    "webm9": ("webm", "libopus", ("libvpx-vp9", color_frames())),
    "avi": ("avi", "libmp3lame", ("mpeg4", color_frames())),
    "ts": ("mpegts", "aac", H264),
    "mpg": ("mpeg", "mp2", ("mpeg2video", color_frames())),
}
