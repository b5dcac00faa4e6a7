"""Junk: bytes that were never media."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile

import numpy as np

from tests.corpus.case import Case, upload


def archive(*names: str) -> bytes:
    """Return a zip file of members that hold a WAV file's first bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name in names:
            file.writestr(zipfile.ZipInfo(name), b"RIFF")
    return buffer.getvalue()


def _tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as file:
        file.addfile(tarfile.TarInfo("canary.wav"), io.BytesIO())
    return buffer.getvalue()


JUNK = {
    "one byte": b"R",
    "random 100": np.random.default_rng(2).bytes(100),
    "random 64 KiB": np.random.default_rng(1).bytes(65_536),
    "random 8 MiB": np.random.default_rng(3).bytes(8 << 20),
    "zeros": bytes(65_536),
    "ones": b"\xff" * 65_536,
    "byte order mark": b"\xef\xbb\xbfcanary",
    "html": b"<!DOCTYPE html><html><body>canary</body></html>",
    "pdf": b"%PDF-1.7\ncanary\n%%EOF",
    "elf": b"\x7fELF\x02\x01\x01" + bytes(200),
    "zip": archive("canary.wav"),
    "gzip": gzip.compress(b"canary" * 100, mtime=0),
    "tar": _tar(),
    "7z": b"7z\xbc\xaf\x27\x1c\x00\x04" + bytes(100),
    "docx": archive("[Content_Types].xml", "word/document.xml"),
}


def cases() -> list[Case]:
    """Return 16 cases."""
    return [
        upload("junk empty", b"", "undecodable"),
        *(upload(f"junk {name}", body, "unsupported-media") for name, body in JUNK.items()),
    ]
