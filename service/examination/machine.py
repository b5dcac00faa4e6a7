"""Machine: what the operating system grants: open files, disk, user, address."""

from __future__ import annotations

import os
import resource
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

from service.examination.findings import Finding, Level
from service.settings import MIB, Settings

FILES_BESIDE = 128  # for the database, index, media, children and logs
DISK_RESERVE, DISK_SMALL = 256 * MIB, 1024 * MIB


def examine_machine(settings: Settings) -> Iterator[Finding]:
    """Yield findings on this machine as the service would find it."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = settings.max_connections + FILES_BESIDE
    if allowed != resource.RLIM_INFINITY and allowed < needed:
        yield Finding(
            Level.WARNING,
            f"{allowed} open files are allowed, {settings.max_connections} connections "
            f"may need {needed}",
            f"raise it with ulimit -n {needed}, or lower EARSHOT_MAX_CONNECTIONS",
        )
    if os.geteuid() == 0:
        yield Finding(
            Level.WARNING,
            "this runs as root",
            "run the service as a user of its own, who owns the data directory only",
        )
    if settings.data is not None and settings.data.is_dir():
        yield from _disk(settings.data)
    yield from _address(settings)


def _disk(data: Path) -> Iterator[Finding]:
    free = shutil.disk_usage(data).free
    if free < DISK_RESERVE:
        yield Finding(
            Level.PROBLEM,
            f"{free // MIB} MiB are free where the data directory is",
            f"free some: below {DISK_RESERVE // MIB} MiB nothing is stored any more",
        )
    elif free < DISK_SMALL:
        yield Finding(
            Level.WARNING,
            f"{free // MIB} MiB are free where the data directory is",
            "free some soon, or move the data directory to a larger disk",
        )


def _address(settings: Settings) -> Iterator[Finding]:
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
