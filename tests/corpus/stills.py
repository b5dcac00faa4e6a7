"""Stills: pictures, true ones and those that only claim their size."""

from __future__ import annotations

import struct
import zlib

import numpy as np

from tests.corpus.clips import Pictures, encode


def png(width: int, height: int, claimed: tuple[int, int] | None = None) -> bytes:
    """Return a black PNG; ``claimed`` is what its header states in place of its size."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    packer = zlib.compressobj(1)
    rows = b"".join(packer.compress(bytes(1 + 3 * width)) for _ in range(height))
    size = claimed or (width, height)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", *size, 8, 2, 0, 0, 0))
        + chunk(b"IDAT", rows + packer.flush())
        + chunk(b"IEND", b"")
    )


def jpeg(claimed: tuple[int, int] | None = None) -> bytes:
    """Return a gray JPEG of 64 x 64; ``claimed`` is another size for its header."""
    pictures = Pictures("mjpeg", [np.full((64, 64, 3), 90, np.uint8)], 25, "yuvj420p")
    content = bytearray(encode("mjpeg", pictures=pictures))
    if claimed:
        at = content.index(b"\xff\xc0") + 5
        content[at : at + 4] = struct.pack(">HH", claimed[1], claimed[0])
    return bytes(content)
