"""Doctor: looks at the installation, the settings and a data directory, in that order."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from crossmodal.errors import CollectionLockedError, CrossmodalError
from crossmodal.media.decoder import Decoder
from index.collection import Collection
from service.findings import Finding, Level
from service.settings import Settings, read_settings, unknown_variables
from service.warmup import warm_up

PYTHON = (3, 11)
# Older ones lack what the service uses, or have published holes that requests reach.
FLOORS = {
    "av": "18.0",
    "fastapi": "0.120",
    "numpy": "2.0",
    "onnxruntime": "1.20",
    "orjson": "3.10",
    "pydantic": "2.10",
    "python-multipart": "0.0.31",
    "starlette": "1.3.1",
    "uvicorn": "0.34",
}
FAISS, FAISS_FLOOR = ("faiss-cpu", "faiss-gpu"), "1.15.1"


def examine(data: Path | None = None) -> Iterator[Finding]:
    """Yield what was found; stop where going on would only repeat it."""
    yield from examine_installation()
    try:
        settings = read_settings(data=data)
        settings.check_host()
    except CrossmodalError as error:
        yield Finding(Level.PROBLEM, f"the settings are wrong: {error}", "correct them")
        return
    yield from examine_settings(settings)
    if settings.data is None:
        yield Finding(
            Level.PROBLEM,
            "no data directory is named",
            "pass --data DIR or set EARSHOT_DATA; python -m index build makes one",
        )
        return
    yield from examine_data(settings.data)


def examine_installation() -> Iterator[Finding]:
    """Yield findings on Python and the packages the service runs on."""
    here = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < PYTHON:
        yield Finding(Level.PROBLEM, f"Python is {here}", "use Python 3.11 or newer")
    else:
        yield Finding(Level.OK, f"Python {here}")
    old = []
    for package, floor in FLOORS.items():
        found = _version(package)
        if found is None or _numbers(found) < _numbers(floor):
            old.append(f"{package} {found or 'missing'} (needs {floor})")
    engines = [found for name in FAISS if (found := _version(name))]
    if not engines or _numbers(engines[0]) < _numbers(FAISS_FLOOR):
        old.append(f"faiss {engines[0] if engines else 'missing'} (needs {FAISS_FLOOR})")
    if old:
        remedy = 'pip install -c constraints.txt ".[service]"'
        yield Finding(Level.PROBLEM, f"packages: {', '.join(old)}", remedy)
    else:
        yield Finding(Level.OK, "the packages of the service are there and new enough")


def examine_settings(settings: Settings) -> Iterator[Finding]:
    """Yield findings on what the environment says."""
    for name in unknown_variables():
        yield Finding(Level.WARNING, f"{name} means nothing here", "is it misspelt?")
    if settings.keys:
        yield Finding(Level.OK, f"{len(settings.keys)} keys are in force")
    else:
        yield Finding(Level.OK, "no keys: only this machine will be served")
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            yield Finding(
                Level.WARNING,
                f"{settings.host}:{settings.port} cannot be bound: {error.strerror}",
                "another process holds it, perhaps the service; or set EARSHOT_PORT",
            )


def examine_data(directory: Path) -> Iterator[Finding]:
    """Yield findings on a data directory, its bundle and their front ends."""
    try:
        collection = Collection.open(directory)
    except CollectionLockedError as error:
        yield Finding(
            Level.WARNING, f"not looked into: {error}", "stop the other process first"
        )
        return
    except CrossmodalError as error:
        yield Finding(Level.PROBLEM, str(error), "build it again: python -m index build")
        return
    with collection, Decoder(workers=1) as decoder:
        sizes = ", ".join(f"{n} {m}" for m, n in collection.view.sizes.items())
        yield Finding(Level.OK, f"{len(collection.view.items)} items ({sizes})")
        if collection.degraded:
            yield Finding(
                Level.WARNING,
                f"the index files were not used: {collection.degraded}",
                "answers are the same but slower to come up; build the index again",
            )
        for name, count in collection.view.unserved.items():
            yield Finding(
                Level.WARNING,
                f"{count} {name} vectors cannot be searched",
                "they come from another model or build",
            )
        try:
            broken = warm_up(collection, decoder)
        except CrossmodalError as error:
            yield Finding(Level.PROBLEM, f"a query failed: {error}", "see the reason")
            return
        for reason in broken:
            yield Finding(
                Level.PROBLEM, reason, "vectors and stored items can still be searched"
            )
        if not broken:
            yield Finding(Level.OK, "a query went through decoder, encoder and index")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("+")[0].split(".") if part.isdigit())
