"""EBML: Matroska elements written by hand."""

from __future__ import annotations

UNKNOWN = b"\x01" + b"\xff" * 7


def element(kind: int, *parts: bytes, size: bytes | None = None) -> bytes:
    """Return an element; ``size`` is written in place of its true length."""
    content = b"".join(parts)
    length = size or (len(content) | 1 << 56).to_bytes(8, "big")
    return kind.to_bytes((kind.bit_length() + 7) // 8, "big") + length + content


def number(kind: int, value: int) -> bytes:
    """Return an element that holds a number."""
    return element(kind, value.to_bytes(8, "big"))


HEAD = element(0x1A45DFA3, element(0x4282, b"matroska"))


def track(kind: int, codec: bytes, *parts: bytes) -> bytes:
    """Return the tracks of a file that has one: 1 film, 2 sound, 17 subtitles."""
    fields = (number(0xD7, 1), number(0x73C5, 1), number(0x83, kind), element(0x86, codec))
    return element(0x1654AE6B, element(0xAE, *fields, *parts))


PCM = track(
    2,
    b"A_PCM/INT/LIT",
    element(0xE1, element(0xB5, b"\x46\x7a\x00\x00"), number(0x9F, 1), number(0x6264, 16)),
)
