"""Downloads: pinned by checksum, taken up where they stopped, never larger than said."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from crossmodal.durable import sha256_file, sync_directory
from crossmodal.errors import DataError

BLOCK = 1 << 20  # bytes
PARTIAL, RANGE_NOT_SATISFIABLE = 206, 416


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedFile:
    """A file at a direct address: its name here, its exact size and its content."""

    name: str
    url: str
    sha256: str
    size_bytes: int


def download(
    file: PinnedFile,
    directory: Path,
    *,
    timeout_s: float = 60.0,
    advance: Callable[[int], None] = lambda count: None,
) -> Path:
    """Download a file unless it is there; return its path.

    What a stopped download left (``NAME.part``) is kept and gone on with. The file gets
    its name only once its content is the pinned one.

    Args:
        file: What to get.
        directory: Where to; made if missing.
        timeout_s: How long the other side may stay silent.
        advance: Called with the bytes that came.

    Raises:
        DataError: If the download fails, is longer than said, or has other content.
    """
    path = directory / file.name
    if path.is_file():
        if sha256_file(path) == file.sha256:
            return path
        raise DataError(f"{path}: has other content than {file.url}; move it away")
    directory.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    try:
        _receive(file, part, timeout_s, advance)
    except (OSError, HTTPException) as error:
        raise DataError(
            f"cannot download {file.name} from {file.url}: {error}; the same command goes "
            f"on where it stopped, or put the file into {directory} by hand"
        ) from error
    digest = sha256_file(part)
    if digest != file.sha256:
        size = part.stat().st_size
        part.unlink()
        raise DataError(
            f"{file.url} gave other content than pinned: expected sha256 {file.sha256} in "
            f"{file.size_bytes} bytes, got {digest} in {size}; kept nothing"
        )
    part.replace(path)
    sync_directory(directory)
    return path


def _receive(
    file: PinnedFile, part: Path, timeout_s: float, advance: Callable[[int], None]
) -> None:
    have = part.stat().st_size if part.is_file() else 0
    if have >= file.size_bytes:
        return
    request = Request(file.url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response = urlopen(request, timeout=timeout_s)
    except HTTPError as error:
        if error.code != RANGE_NOT_SATISFIABLE:
            raise
        error.close()
        part.unlink()  # what we have is no beginning of what they have
        have, response = 0, urlopen(file.url, timeout=timeout_s)
    with response, part.open("ab" if response.status == PARTIAL else "wb") as target:
        left = file.size_bytes - target.tell()
        while block := response.read(min(BLOCK, left + 1)):
            if len(block) > left:
                part.unlink()
                raise OSError(f"it is longer than the {file.size_bytes} bytes it should be")
            target.write(block)
            left -= len(block)
            advance(len(block))
        target.flush()
        os.fsync(target.fileno())
    if left:
        raise OSError(f"the connection ended {left} bytes early")
