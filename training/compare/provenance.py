"""Provenance: which code made a result, so that a result of other code is not reused."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path

from training.methods.catalog import method_named

ROOT = Path(__file__).resolve().parent.parent.parent
OURS = ("training", "crossmodal")
ALWAYS = (
    "training.compare.job",
    "training.compare.tuning",
    "training.data",
    "training.protocol.folds",
    "training.protocol.splits",
    "training.protocol.validation",
    "crossmodal.metrics.card",
)
CATALOG = "training.methods.catalog"
"""Imports every method, so what it imports is left out: another method's code is not this
one's."""
LIBRARIES = ("numpy", "scipy", "scikit-learn", "torch")


@cache
def made_by(method: str) -> str:
    """Return a hash of a method's modules, all they import of ours, and the libraries."""
    digest = hashlib.sha256()
    for path in sorted(_sources((type(method_named(method)).__module__, *ALWAYS))):
        digest.update(str(path.relative_to(ROOT)).encode())
        digest.update(path.read_bytes())
    for library in LIBRARIES:
        digest.update(f"{library}={version(library)}".encode())
    return digest.hexdigest()


def _sources(modules: tuple[str, ...]) -> set[Path]:
    found: set[Path] = set()
    waiting = list(modules)
    seen = {CATALOG}
    while waiting:
        module = waiting.pop()
        if module in seen:
            continue
        seen.add(module)
        path = _path(module)
        if path is not None:
            found.add(path)
            waiting.extend(_imports(path))
    return found


def _path(module: str) -> Path | None:
    """Return a module's file; None for a name inside a module."""
    place = ROOT.joinpath(*module.split("."))
    for path in (place.with_suffix(".py"), place / "__init__.py"):
        if path.is_file():
            return path
    return None


@cache
def _imports(path: Path) -> tuple[str, ...]:
    return tuple(_named(ast.parse(path.read_bytes())))


def _named(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.split(".")[0] in OURS)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            if node.module.split(".")[0] in OURS:
                yield node.module
                yield from (f"{node.module}.{alias.name}" for alias in node.names)
