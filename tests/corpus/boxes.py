"""Boxes: MP4 files written by hand, with tables that claim what is not there."""

from __future__ import annotations

import struct
from collections.abc import Mapping


def box(kind: bytes, *parts: bytes) -> bytes:
    """Return a box of a four-letter kind."""
    content = b"".join(parts)
    return struct.pack(">I", 8 + len(content)) + kind + content


def full(kind: bytes, *values: int) -> bytes:
    """Return a box with version and flags 0 and 32-bit values."""
    return box(kind, bytes(4), struct.pack(f">{len(values)}I", *values))


def movie(
    samples: int,
    tables: Mapping[bytes, bytes] | None = None,
    *,
    timescale: int = 16_000,
    tracks: int = 1,
    edits: bytes = b"",
) -> bytes:
    """Return an MP4 of sound; ``tables`` takes the place of the boxes of the same kind."""
    entry = box(
        b"mp4a", bytes(6), b"\x00\x01", bytes(8),
        struct.pack(">HHHHI", 1, 16, 0, 0, 16_000 << 16),
    )  # fmt: skip
    table = {
        b"stts": full(b"stts", 1, samples, 2),
        b"stsc": full(b"stsc", 1, 1, 1, 1),
        b"stsz": full(b"stsz", 1000, samples),
        b"stco": full(b"stco", 1, 48),
    } | dict(tables or {})
    listed = box(
        b"stbl", box(b"stsd", bytes(4), struct.pack(">I", 1), entry), *table.values()
    )
    media = box(
        b"mdia",
        full(b"mdhd", 0, 0, timescale, 16_000, 0),
        box(b"hdlr", bytes(8), b"soun", bytes(13)),
        box(b"minf", full(b"smhd", 0), listed),
    )
    head = full(b"tkhd", 0, 0, 1, 0, 16_000, *[0] * 15)
    track = box(b"trak", head, edits, media)
    moov = box(b"moov", full(b"mvhd", 0, 0, 1000, 1000, *[0] * 20), *[track] * tracks)
    return box(b"ftyp", b"isom", bytes(4), b"isom") + moov + box(b"mdat", bytes(1000))


def table_bomb(samples: int) -> bytes:
    """Return an MP4 whose tables claim samples that its index is then allocated for."""
    return movie(samples)
