"""Media files kept under the sha256 of their content, and what type they are of."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from threading import Lock

from crossmodal.durable import sha256_file, sync_directory
from crossmodal.errors import CollectionError, StorageFullError

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
    """The media of a collection; a content is kept once, however many items show it.

    A content goes when no item shows it any more and nobody claims it: a claim is held
    while the item that will show it is not stored yet.
    """

    def __init__(
        self,
        directory: Path,
        staging: Path,
        reached: Callable[[str], None] = lambda point: None,
    ) -> None:
        """Keep files below a directory.

        Args:
            directory: Where they are kept, as ``ab/cd/<sha256>``.
            staging: Where they are written before they are whole; on the same disk.
            reached: Told of the points at which a test may end the process.
        """
        self._directory = directory
        self._staging = staging
        self._reached = reached
        self._claims: Counter[str] = Counter()
        self._shown: Counter[str] = Counter()
        self._lock = Lock()

    def add(self, source: Path | bytes, *, claim: bool = False) -> str:
        """Copy a file durably and return its sha256; threads may add at once.

        Args:
            source: The file, or its content.
            claim: Whether to claim the content, until `release`.

        Raises:
            StorageFullError: If it does not fit on the disk.
        """
        try:
            draft, sha256 = self._stage(source)
            with self._lock:
                self._keep(draft, sha256)
                self._claims[sha256] += claim
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise StorageFullError("the disk is full: media were not kept") from error
            raise
        return sha256

    def claim(self, sha256: str) -> None:
        """Claim a content that is kept already.

        Raises:
            CollectionError: If it is not.
        """
        with self._lock:
            if not self.path(sha256).is_file():
                raise CollectionError("no media of this sha256 are kept")
            self._claims[sha256] += 1

    def release(self, sha256: str) -> None:
        """Give a claim back; a content that no item shows by then is deleted."""
        with self._lock:
            self._claims[sha256] -= 1
            self._delete_unused(sha256)

    def show(self, contents: Iterable[str]) -> None:
        """Count one more item for each content, before those items are stored."""
        with self._lock:
            self._shown.update(contents)

    def hide(self, contents: Iterable[str]) -> None:
        """Count one item less for each content; one that no item shows is deleted."""
        with self._lock:
            for sha256 in contents:
                self._shown[sha256] -= 1
                self._delete_unused(sha256)

    def sweep(self) -> None:
        """Delete every content that no item shows, left by an interruption."""
        for path in self._directory.glob("??/??/*"):
            if _SHA256.fullmatch(path.name):
                with self._lock:
                    self._delete_unused(path.name)

    def _delete_unused(self, sha256: str) -> None:
        if self._claims[sha256] <= 0 and self._shown[sha256] <= 0:
            del self._claims[sha256], self._shown[sha256]
            self._reached("before media deletion")
            self.path(sha256).unlink(missing_ok=True)

    def _stage(self, source: Path | bytes) -> tuple[Path, str]:
        self._staging.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with (
            _opened(source) as original,
            tempfile.NamedTemporaryFile(dir=self._staging, delete=False) as draft,
        ):
            path = Path(draft.name)
            try:
                while chunk := original.read(_CHUNK):
                    digest.update(chunk)
                    draft.write(chunk)
                draft.flush()
                os.fsync(draft.fileno())
            except BaseException:
                path.unlink()
                raise
        return path, digest.hexdigest()

    def _keep(self, draft: Path, sha256: str) -> None:
        target = self.path(sha256)
        if target.exists():
            draft.unlink()
            return
        _make_directories(target.parent)
        draft.chmod(0o644)
        draft.replace(target)
        self._reached("media renamed")
        sync_directory(target.parent)

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


def _opened(source: Path | bytes) -> io.BufferedIOBase:
    return io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")


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
