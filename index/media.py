"""Media files kept under the sha256 of their content, and what type they are of."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from pathlib import Path

from crossmodal.durable import sha256_file, sync_directory
from crossmodal.errors import CollectionError

_SHA256 = re.compile(r"[0-9a-f]{64}")
_CHUNK = 1 << 20
_HEAD = 512
UNKNOWN_TYPE = "application/octet-stream"

# first bytes, offset, media type; the first that fits counts
_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", 0, "image/png"),
    (b"\xff\xd8\xff", 0, "image/jpeg"),
    (b"fLaC", 0, "audio/flac"),
    (b"ID3", 0, "audio/mpeg"),
    (b"\x00\x00\x01\xba", 0, "video/mpeg"),
    (b"WAVE", 8, "audio/wav"),
    (b"AVI ", 8, "video/x-msvideo"),
    (b"ftypM4A ", 4, "audio/mp4"),
    (b"ftypM4B ", 4, "audio/mp4"),
    (b"ftypqt  ", 4, "video/quicktime"),
    (b"ftyp", 4, "video/mp4"),
)


class MediaFiles:
    """The media of a collection; a content is kept once, however many items show it."""

    def __init__(self, directory: Path, staging: Path) -> None:
        """Keep files below a directory.

        Args:
            directory: Where they are kept, as ``ab/cd/<sha256>``.
            staging: Where they are written before they are whole; on the same disk.
        """
        self._directory = directory
        self._staging = staging

    def add(self, source: Path) -> str:
        """Copy a file durably and return its sha256; threads may add at once."""
        self._staging.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with (
            source.open("rb") as original,
            tempfile.NamedTemporaryFile(dir=self._staging, delete=False) as draft,
        ):
            while chunk := original.read(_CHUNK):
                digest.update(chunk)
                draft.write(chunk)
            draft.flush()
            os.fsync(draft.fileno())
        sha256 = digest.hexdigest()
        target = self.path(sha256)
        if target.exists():
            Path(draft.name).unlink()
            return sha256
        _make_directories(target.parent)
        Path(draft.name).chmod(0o644)
        Path(draft.name).replace(target)
        sync_directory(target.parent)
        return sha256

    def path(self, sha256: str) -> Path:
        """Return where the content of this sha256 lies, if it is kept.

        Raises:
            CollectionError: If this is no sha256.
        """
        if not _SHA256.fullmatch(sha256):
            raise CollectionError("expected a sha256 of 64 hexadecimal digits")
        return self._directory / sha256[:2] / sha256[2:4] / sha256

    def is_whole(self, sha256: str) -> bool:
        """Tell whether the content is there and is what its name says."""
        path = self.path(sha256)
        return path.is_file() and sha256_file(path) == sha256


def media_type(path: Path) -> str:
    """Return the media type that a file's first bytes show, never its name.

    Only types that browsers take for sound, pictures or film are ever returned, and
    ``application/octet-stream`` for all else.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    for signature, offset, kind in _SIGNATURES:
        if head.startswith(signature, offset):
            return kind
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "video/webm" if b"webm" in head[:64] else "video/x-matroska"
    if head.startswith(b"OggS"):
        return "video/ogg" if b"theora" in head else "audio/ogg"
    if head[:1] == b"\x47" and head[188:189] == b"\x47":
        return "video/mp2t"
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0:
        return "audio/aac" if head[1] & 0xF6 == 0xF0 else "audio/mpeg"
    return UNKNOWN_TYPE


def _make_directories(directory: Path) -> None:
    missing = []
    while not directory.exists():
        missing.append(directory)
        directory = directory.parent
    for made in reversed(missing):
        made.mkdir(exist_ok=True)
        sync_directory(made.parent)
