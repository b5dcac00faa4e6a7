"""Driving a peer: its environment, its index, its server; each once, then kept on disk."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.load.peers.catalog import Peer
from benchmarks.load.peers.environment import (
    ROOT,
    PeerError,
    environment,
    run_logged,
    size_mib,
)
from benchmarks.load.scale import Vectors
from benchmarks.load.target import Target
from benchmarks.server import running

BUILD_S = 900.0
FACTS = "facts.json"  # written last: its presence means the index is whole
SERVE_S = 120.0


def prepare(peer: Peer, vectors: Vectors, root: Path = ROOT) -> tuple[Path, Path]:
    """Return a peer's Python and the folder of its index, made first where missing.

    The index is kept for the next run with the same vectors, script and requirements.

    Raises:
        PeerError: If it cannot be installed, or the index not made.
    """
    python = environment(peer.name, peer.requirements, root)
    digest = hashlib.sha256(np.ascontiguousarray(vectors.gallery))
    for file in (peer.requirements, peer.script):
        digest.update(file.read_bytes())
    folder = (root / peer.name / f"index-{digest.hexdigest()[:16]}").absolute()
    if not (folder / FACTS).is_file():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        print(f"{peer.name}: indexing {len(vectors.gallery)} vectors", file=sys.stderr)
        given = folder / "vectors.npy"
        np.save(given, vectors.gallery)
        command = [str(python), str(peer.script), "build", str(given), str(folder)]
        printed = run_logged(command, root / peer.name / "build.log", BUILD_S)
        given.unlink()
        lines = printed.strip().splitlines() or ["nothing"]
        try:
            facts = json.loads(lines[-1])
        except ValueError:
            raise PeerError(f"its script printed {lines[-1][:200]!r}, no JSON") from None
        (folder / FACTS).write_text(json.dumps(facts))
    return python, folder


@contextmanager
def serving_peer(
    peer: Peer, vectors: Vectors, root: Path = ROOT
) -> Iterator[tuple[Target, dict[str, Any]]]:
    """Serve a peer; yields what to measure, and what is known of it.

    Raises:
        PeerError: If it cannot be installed, made or started.
    """
    python, folder = prepare(peer, vectors, root)
    facts = json.loads((folder / FACTS).read_text())
    known = {
        "package": peer.package,
        "version": version(python, peer, root),
        "how": peer.how,
        **facts,
        "environment_mib": size_mib(root / peer.name / "env"),
        "index_mib": size_mib(folder),
    }
    variables = {
        k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "EARSHOT_"))
    }

    def command(port: int) -> list[str]:
        return [str(python), str(peer.script), "serve", str(folder), str(port)]

    log = root / peer.name / "serve.log"
    try:
        with running(command, variables, log=log, start_s=SERVE_S) as server:
            yield Target(server.port, peer.requests(vectors.queries), peer.rows), known
    except RuntimeError as error:
        raise PeerError(str(error)) from error


def version(python: Path, peer: Peer, root: Path = ROOT) -> str:
    """Return the installed version of a peer's package.

    Raises:
        PeerError: If it is not installed.
    """
    code = f"import importlib.metadata as m; print(m.version({peer.package!r}))"
    return run_logged(
        [str(python), "-c", code], root / peer.name / "version.log", 60
    ).strip()
