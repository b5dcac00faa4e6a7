"""Installation: whether Python and the libraries are there and new enough.

Versions below a floor lack what the service uses, or have published holes that requests
or files can reach.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

from crossmodal.media.ffmpeg import ffmpeg_version
from index.storage.database import sqlite_version
from service.examination.findings import Finding, Level

PYTHON = (3, 11)
FLOORS = {
    "av": "18.0",
    "fastapi": "0.120",
    "numpy": "2.0",
    "onnxruntime": "1.20",
    "orjson": "3.10",
    "pydantic": "2.10",
    "python-multipart": "0.0.31",  # CVE-2026-42561, -40347, -24486 and older
    "starlette": "1.3.1",  # CVE-2026-54283, -54282, -48710, CVE-2025-62727 and older
    "uvicorn": "0.34",
}
FAISS, FAISS_FLOOR = ("faiss-cpu", "faiss-gpu"), "1.15.1"
FFMPEG_FLOOR = "8.1.2"  # CVE-2026-8461, CVE-2026-40962
SQLITE_FLOOR = "3.51.3"  # the WAL-reset bug, which one writing connection does not meet


def examine_installation() -> Iterator[Finding]:
    """Yield findings on Python and the libraries the service runs on."""
    here = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < PYTHON:
        yield Finding(Level.PROBLEM, f"Python is {here}", "use Python 3.11 or newer")
    else:
        yield Finding(Level.OK, f"Python {here}")
    remedy = 'pip install -c constraints.txt ".[service]"'
    old = list(_old_packages())
    if old:
        yield Finding(Level.PROBLEM, f"packages: {', '.join(old)}", remedy)
    else:
        yield Finding(Level.OK, "the packages of the service are there and new enough")
    ffmpeg = ffmpeg_version()
    if is_below(ffmpeg, FFMPEG_FLOOR):
        yield Finding(
            Level.PROBLEM,
            f"FFmpeg is {ffmpeg}; files can exploit versions before {FFMPEG_FLOOR}",
            "install a newer av, which brings its own FFmpeg",
        )
    sqlite = sqlite_version()
    if is_below(sqlite, SQLITE_FLOOR):
        yield Finding(
            Level.WARNING,
            f"SQLite is {sqlite}, before {SQLITE_FLOOR}",
            "harmless while one process writes to a data directory, as the lock "
            "ensures; do not checkpoint items.db with other tools while it is served",
        )


def is_below(found: str | None, floor: str) -> bool:
    """Tell whether a version is missing, unreadable or lower than a floor."""
    return found is None or _numbers(found) < _numbers(floor)


def _old_packages() -> Iterator[str]:
    for package, floor in FLOORS.items():
        found = _version(package)
        if is_below(found, floor):
            yield f"{package} {found or 'missing'} (needs {floor})"
    engine = next((found for name in FAISS if (found := _version(name))), None)
    if is_below(engine, FAISS_FLOOR):
        yield f"faiss {engine or 'missing'} (needs {FAISS_FLOOR})"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("+")[0].split(".") if part.isdigit())
