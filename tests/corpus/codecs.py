"""Codecs off the list, in containers on it and off it."""

from __future__ import annotations

from tests.corpus.case import HEAR, SEE, Case, upload
from tests.corpus.clips import Pictures, Sound, color_frames, encode, tone

OFF = "unsupported-media"


def film(container: str, codec: str, pixel_format: str) -> bytes:
    """Return a film in a codec of FFmpeg's."""
    frames = color_frames(0.2)
    return encode(container, pictures=Pictures(codec, frames, 25, pixel_format))


def cases() -> list[Case]:
    """Return 12 cases."""
    cdxl = b"\x01\x10\x00\x00\x00\x00\x00\x40" + bytes(6) + b"\x00\x10\x00\x10\x00\x04"
    dng = b"II*\x00\x08\x00\x00\x00\x01\x00\x12\xc6\x01\x00\x04\x00\x00\x00\x01\x04\x00\x00"
    midi = b"MThd\x00\x00\x00\x06\x00\x00\x00\x01\x00\x60MTrk\x00\x00\x00\x00"
    seen = {
        "magicyuv": film("avi", "magicyuv", "yuv420p"),
        "ansi": b"\x1b[31mcanary\x1b[0m\r\n" * 100,
        "cdxl": (cdxl + bytes(200)) * 10,
        "cinepak": film("avi", "cinepak", "rgb24"),
        "wmv": film("asf", "wmv2", "yuv420p"),
        "realmedia": film("rm", "rv10", "yuv420p"),
        "gif": film("gif", "gif", "rgb8"),
        "dng": dng + bytes(100),
    }
    heard = {
        "tta": encode("tta", Sound("tta", tone(440, 1.0))),
        "amr": b"#!AMR\n" + (b"\x3c" + bytes(31)) * 50,
        "midi": midi,
    }
    # an APNG begins as a PNG does, and is told that it is a damaged one
    apng = film("apng", "apng", "rgb24")
    return [
        *(upload(f"codec {name}", body, OFF, path=SEE) for name, body in seen.items()),
        *(upload(f"codec {name}", body, OFF, path=HEAR) for name, body in heard.items()),
        upload("codec apng", apng, "undecodable", OFF, path=SEE),
    ]
