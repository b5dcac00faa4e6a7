"""Weights of pretrained front ends: pinned files, found on disk or downloaded.

A file counts only if its sha256 is the pinned one; that is checked on the very bytes
that are then used.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from crossmodal.durable import write_bytes
from crossmodal.errors import FrontEndError


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsFile:
    """One pinned file: what it is called, what it must contain, where it comes from."""

    frontend: str
    file_name: str
    sha256: str
    size_bytes: int
    url: str
    license: str


def weights_directory(environment: Mapping[str, str] = os.environ) -> Path:
    """Return where weights are kept: ``EARSHOT_WEIGHTS``, else the user's cache.

    The one place that reads the environment for front ends.
    """
    chosen = environment.get("EARSHOT_WEIGHTS")
    if chosen:
        return Path(chosen).expanduser()
    cache = environment.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "earshot"


def find_weights(weights: WeightsFile, place: Path) -> Path | None:
    """Return the first file of that name and checksum, or None.

    Args:
        weights: What to look for.
        place: The file itself, or a directory that is searched below by file name.
    """
    return next(
        (path for path in _candidates(weights, place) if _is_genuine(weights, path)), None
    )


def read_weights(weights: WeightsFile, place: Path) -> bytes:
    """Return the content of the pinned file.

    Args:
        weights: What to look for.
        place: The file itself, or a directory that is searched below by file name.

    Raises:
        FrontEndError: If no file there has the pinned content; names the file, the place
            searched and the command that fetches it.
    """
    candidates = _candidates(weights, place)
    for path in candidates:
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() == weights.sha256:
            return content
    found = (
        f"found only {', '.join(map(str, candidates))} with another checksum than "
        f"{weights.sha256}"
        if candidates
        else f"searched {place}" + (" and below" if place.is_dir() else "")
    )
    raise FrontEndError(
        f"front end {weights.frontend!r} needs its weights {weights.file_name}: {found}; "
        f"run 'python -m training frontends fetch {weights.frontend}', or set "
        "EARSHOT_WEIGHTS to the directory that holds the file"
    )


def fetch_weights(weights: WeightsFile, directory: Path, timeout_s: float = 60.0) -> Path:
    """Download the file into the directory unless it is there; return its path.

    Nothing is written unless the whole content has the pinned checksum.

    Raises:
        FrontEndError: If the download fails or its content is not the pinned one.
    """
    present = find_weights(weights, directory)
    if present is not None:
        return present
    try:
        with urlopen(weights.url, timeout=timeout_s) as response:
            content = response.read(weights.size_bytes + 1)
    except (URLError, TimeoutError, ConnectionError) as error:
        raise FrontEndError(
            f"cannot download {weights.file_name} from {weights.url}: {error}; fetch it by "
            f"hand and put it into {directory}"
        ) from error
    digest = hashlib.sha256(content).hexdigest()
    if digest != weights.sha256:
        raise FrontEndError(
            f"{weights.url} gave other content than pinned: expected sha256 "
            f"{weights.sha256} in {weights.size_bytes} bytes, got {digest}; kept nothing"
        )
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / weights.file_name
    write_bytes(path, content)
    return path


def _candidates(weights: WeightsFile, place: Path) -> list[Path]:
    if place.is_dir():
        return sorted(path for path in place.rglob(weights.file_name) if path.is_file())
    return [place] if place.is_file() else []


def _is_genuine(weights: WeightsFile, path: Path) -> bool:
    return hashlib.sha256(path.read_bytes()).hexdigest() == weights.sha256
