"""Mismatched: what a file seems to be is not what it is."""

from __future__ import annotations

import numpy as np

from tests.corpus.boxes import box
from tests.corpus.case import BOUNDARY, END, HEAR, OK, Case, upload
from tests.corpus.clips import Sound, clip, encode, tone, wav_bytes
from tests.corpus.junk import archive
from tests.corpus.stills import png

HEADS = {
    "wav": b"RIFF\x00\x00\x00\x00WAVE",
    "avi": b"RIFF\x00\x00\x00\x00AVI ",
    "flac": b"fLaC",
    "ogg": b"OggS",
    "ebml": b"\x1aE\xdf\xa3",
    "png": b"\x89PNG\r\n\x1a\n",
    "jpeg": b"\xff\xd8\xff\xe0",
    "id3": b"ID3\x04\x00\x00\x00\x00\x00\x00",
    "mp4": box(b"ftyp", b"isom", bytes(4), b"isom"),
    "ts": b"G@",
}
LISTED = ("undecodable", "no-usable-track", "unsupported-media")


def cases() -> list[Case]:
    """Return 24 cases: wrong bodies, wrong names and types, and polyglots."""
    return [*_wrong_bodies(), *_wrong_names(), *_polyglots()]


def _wrong_bodies() -> list[Case]:
    rest = np.random.default_rng(2).bytes(4_000)
    return [
        upload(f"head {name}", head + rest, *LISTED, path=HEAR)
        for name, head in HEADS.items()
    ]


def _wrong_names() -> list[Case]:
    sound = Sound("pcm_s16be", tone(440, 1.0))
    little = Sound("pcm_s16le", tone(440, 1.0))
    wav, off = clip("wav"), "unsupported-media"
    return [
        _named("wav as mp4", wav, "a.mp4", "video/mp4", OK),
        _named("mp3 as wav", clip("mp3"), "a.wav", "audio/wav", OK),
        _named("mp4 as wav", clip("mp4"), "a.wav", "audio/wav", OK),
        _named("wav as html", wav, "a.html", "text/html", OK),
        _named("png as mp4", png(64, 64), "a.mp4", "video/mp4", "no-usable-track"),
        _named("html as wav", b"<html>canary</html>", "a.wav", "audio/wav", off),
        # PCM in containers that are not on the list: the codec alone would pass
        _named("au as wav", encode("au", sound), "a.wav", "audio/wav", off),
        _named("aiff as wav", encode("aiff", sound), "a.wav", "audio/wav", off),
        _named("caf as mov", encode("caf", sound), "a.mov", "video/quicktime", off),
        _named("w64 as wav", encode("w64", little), "a.wav", "audio/wav", off),
    ]


def _named(name: str, clip: bytes, filename: str, kind: str, *codes: str) -> Case:
    extra = f'; filename="{filename}"\r\nContent-Type: {kind}'
    return upload(f"named {name}", clip, *codes, path=HEAR, extra=extra)


def _polyglots() -> list[Case]:
    wav = wav_bytes((8000 * tone(440, 1.0).T).astype("<i2"), 16_000)
    reference = b"ffconcat version 1.0\nfile canary.mp4\n"
    assert BOUNDARY.encode() not in wav
    return [
        upload("polyglot wav zip", wav + archive("canary"), OK, path=HEAR),
        upload("polyglot pdf wav", b"%PDF-1.7\n" + wav, *LISTED, path=HEAR),
        upload("polyglot wav ffconcat", wav + reference, OK, path=HEAR),
        upload("polyglot form", wav[:44] + b"\r\n" + END + wav[44:], *LISTED, path=HEAR),
    ]
