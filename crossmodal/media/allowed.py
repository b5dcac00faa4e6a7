"""Allowed: the containers and codecs that may be decoded, and how FFmpeg is told.

FFmpeg's build carries hundreds of formats, some of which open other files or
sockets (ffconcat, HLS, SDP). Both whitelists are always given: the first confines
which demuxer may run, the second leaves it nothing to open.
"""

from __future__ import annotations

CONTAINERS = (
    "wav", "flac", "mp3", "ogg", "aac", "mov", "matroska", "avi", "mpegts", "mpeg",
)  # fmt: skip
PICTURES = ("png_pipe", "jpeg_pipe")
FILE_KINDS = (
    "wav, flac, mp3, ogg, opus, aac, m4a, mp4, mov, webm, mkv, avi, ts, mpg, jpg, png"
)

GUARDS = {
    "format_whitelist": ",".join(CONTAINERS + PICTURES),
    "protocol_whitelist": "none",
}

# Decoders by FFmpeg's name, which is not always the codec's (mp3float).
AUDIO_CODECS = frozenset(
    {
        "aac", "aac_latm", "ac3", "eac3", "alac", "flac", "mp2", "mp2float", "mp3",
        "mp3float", "opus", "libopus", "vorbis", "libvorbis",
        "pcm_alaw", "pcm_mulaw", "pcm_u8", "pcm_s8",
        "pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be", "pcm_s32le", "pcm_s32be",
        "pcm_f32le", "pcm_f32be", "pcm_f64le", "pcm_f64be",
    }
)  # fmt: skip
VIDEO_CODECS = frozenset(
    {
        "av1", "libdav1d", "h264", "hevc", "mpeg1video", "mpeg2video", "mpeg4",
        "vp8", "vp9", "libvpx", "libvpx-vp9", "mjpeg", "png",
    }
)  # fmt: skip
WHOLE_SHARE = 0.9  # of what a file states, below which it counts as cut short
PICTURE_CODECS = frozenset({"mjpeg", "png"})

SIGNATURES = (
    (0, b"RIFF"),
    (0, b"RF64"),
    (0, b"fLaC"),
    (0, b"OggS"),
    (0, b"ID3"),
    (0, b"\xff\xe3"),
    (0, b"\xff\xf1"),
    (0, b"\xff\xf2"),
    (0, b"\xff\xf3"),
    (0, b"\xff\xf9"),
    (0, b"\xff\xfa"),
    (0, b"\xff\xfb"),
    (4, b"ftyp"),
    (4, b"moov"),
    (4, b"mdat"),
    (0, b"\x1aE\xdf\xa3"),
    (0, b"\x00\x00\x01\xba"),
    (0, b"G@"),
    (0, b"\x89PNG"),
    (0, b"\xff\xd8\xff"),
)


def is_signed(head: bytes) -> bool:
    """Whether the first bytes are those of an allowed container, whole or damaged.

    It only words the error once FFmpeg has refused a file; it admits nothing.
    """
    return any(head[at : at + len(mark)] == mark for at, mark in SIGNATURES)


def riff_size(head: bytes) -> int | None:
    """Return the number of bytes that a WAV or AVI file states; None if it states none.

    Writers that cannot go back leave the largest number they know.
    """
    if head[:4] != b"RIFF":
        return None
    stated = int.from_bytes(head[4:8], "little")
    return stated + 8 if 0 < stated < 0x7FFF0000 else None


def is_wave(head: bytes) -> bool:
    """Whether the first 12 bytes are those of a WAV file."""
    return head[:4] == b"RIFF" and head[8:12] == b"WAVE"
