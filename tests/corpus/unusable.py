"""Unusable: valid files that hold nothing to hear or to see, and some that just do."""

from __future__ import annotations

import numpy as np

from tests.corpus.boxes import movie
from tests.corpus.case import HEAR, OK, SEE, Case, upload
from tests.corpus.clips import Pictures, clip, encode, wav_bytes
from tests.corpus.ebml import HEAD, element, number, track
from tests.corpus.stills import png

NONE, BROKEN = "no-usable-track", "undecodable"


def cover_art() -> bytes:
    """Return an MP3 with a picture in its tag."""
    frame = b"\0image/png\0\x03\0" + png(64, 64)
    tag = b"APIC" + len(frame).to_bytes(4, "big") + bytes(2) + frame
    size = bytes(len(tag) >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x03\0\0" + size + tag + clip("mp3")[clip("mp3").index(b"\xff\xfb") :]


def subtitles() -> bytes:
    """Return a Matroska file with subtitles only."""
    group = element(0xA0, element(0xA1, b"\x81\0\0\0canary"), number(0x9B, 1000))
    cluster = element(0x1F43B675, number(0xE7, 0), group)
    return HEAD + element(0x18538067, track(17, b"S_TEXT/UTF8"), cluster)


def cases() -> list[Case]:
    """Return 14 cases."""
    second = np.zeros((16_000, 1), np.int16)
    black = Pictures("libx264", [np.zeros((64, 64, 3), np.uint8)] * 10)

    def floats(value: float) -> bytes:
        sound = np.zeros((16_000, 1), np.float32)
        sound[9_000] = value
        return wav_bytes(sound, 16_000, format_tag=3)

    def heard(name: str, body: bytes, *codes: str) -> Case:
        return upload(f"unusable {name}", body, *codes, path=HEAR)

    def seen(name: str, body: bytes, *codes: str) -> Case:
        return upload(f"unusable {name}", body, *codes, path=SEE)

    return [
        heard("no sound", clip("silent mp4"), NONE),
        seen("no pictures", clip("wav"), NONE),
        seen("cover art", cover_art(), NONE),
        heard("subtitles", subtitles(), NONE, BROKEN),
        heard("no samples", wav_bytes(second[:0], 16_000), NONE, BROKEN),
        heard("no sample table", movie(0), NONE, BROKEN),
        heard("10 ms", wav_bytes(second[:160], 16_000), OK, NONE, BROKEN),
        heard("silence", wav_bytes(second, 16_000), OK),
        seen("black", encode("mp4", pictures=black), OK, NONE),
        heard("NaN", floats(np.nan), BROKEN),
        heard("Inf", floats(np.inf), BROKEN),
        heard("-Inf", floats(-np.inf), BROKEN),
        heard("3e38", floats(3e38), OK),
        heard("constant", wav_bytes(second + 20_000, 16_000), OK),
    ]
