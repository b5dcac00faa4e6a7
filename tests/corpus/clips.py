"""Clips: sound and pictures made on the spot, in every container and the same each time."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

import av
import numpy as np

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


def encode(
    container: str, sound: Sound | None = None, pictures: Pictures | None = None
) -> bytes:
    """Return a file with the tracks given."""
    buffer = io.BytesIO()
    options = {"fflags": "+bitexact"}  # no random identifiers
    with av.open(buffer, "w", format=container, options=options) as output:
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


@cache
def clip(name: str) -> bytes:
    """Three seconds of a 440 Hz stereo tone and of red, green, blue, by container."""
    container, sound, pictures = CONTAINERS[name]
    return encode(
        container,
        Sound(sound, np.repeat(tone(440, 3.0), 2, axis=0)) if sound else None,
        Pictures(*pictures) if pictures else None,
    )
