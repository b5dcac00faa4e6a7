"""Source gate: nothing here opens a format, or runs a text, that can run code."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("crossmodal", "index", "service", "training", "benchmarks")
SOURCES = sorted(path for name in PACKAGES for path in (ROOT / name).rglob("*.py"))
MODULES = {
    "pickle",
    "_pickle",
    "cPickle",
    "cloudpickle",
    "dill",
    "joblib",
    "marshal",
    "shelve",
}
BUILTINS = {"eval", "exec", "compile", "__import__"}
CALLS = {
    "torch.load",
    "torch.hub.load",
    "torch.package.PackageImporter",
    "yaml.load",
    "yaml.unsafe_load",
    "yaml.full_load",
    "os.system",
    "os.popen",
    "pandas.read_pickle",
    "numpy.load",  # only with allow_pickle=False
}
ALIASES = {"np": "numpy", "pd": "pandas"}


def dangers(source: str) -> Iterator[str]:
    """Yield what a source text must not hold, with its line."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = {alias.name.split(".")[0] for alias in node.names}
            if names & MODULES:
                yield f"{node.lineno}: imports {names & MODULES}"
        elif isinstance(node, ast.ImportFrom):
            if (node.module or "").split(".")[0] in MODULES:
                yield f"{node.lineno}: imports from {node.module}"
            taken = {f"{node.module}.{alias.name}" for alias in node.names}
            if taken & CALLS:
                yield f"{node.lineno}: imports {taken & CALLS}"
        elif isinstance(node, ast.Call):
            yield from (f"{node.lineno}: {what}" for what in _of_call(node))


def _of_call(node: ast.Call) -> Iterator[str]:
    name = _dotted(node.func)
    keywords = {keyword.arg: keyword.value for keyword in node.keywords}
    if name in BUILTINS:
        yield f"calls {name}"
    without_pickle = _is(keywords, "allow_pickle", False)
    if name in CALLS and not (name == "numpy.load" and without_pickle):
        yield f"calls {name}"
    if "allow_pickle" in keywords and not without_pickle:
        yield "allows pickle"
    if "shell" in keywords and not _is(keywords, "shell", False):
        yield "starts a shell"
    if "weights_only" in keywords and not _is(keywords, "weights_only", True):
        yield "loads more than weights"


def _is(keywords: dict[str | None, ast.expr], name: str, value: bool) -> bool:
    given = keywords.get(name)
    return isinstance(given, ast.Constant) and given.value is value


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return ALIASES.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return ""


def test_no_source_holds_anything_dangerous() -> None:
    assert len(SOURCES) > 200
    found = {str(path.relative_to(ROOT)): [*dangers(path.read_text())] for path in SOURCES}
    assert {path: lines for path, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "import os, marshal",
        "from joblib import load",
        "from torch import load",
        "import torch\ntorch.load('x')",
        "import torch\ntorch.load('x', weights_only=True)",
        "import numpy as np\nnp.load('x')",
        "import numpy as np\nnp.load('x', allow_pickle=True)",
        "import numpy as np\nnp.save('x', y, allow_pickle=True)",
        "allowed = True\nimport numpy\nnumpy.load('x', allow_pickle=allowed)",
        "import yaml\nyaml.load(text, Loader=yaml.Loader)",
        "eval('1')",
        "exec(text)",
        "__import__(name)",
        "subprocess.run(command, shell=True)",
        "os.system(command)",
        "read(file, weights_only=False)",
    ],
)
def test_what_is_dangerous_is_found(source: str) -> None:
    assert list(dangers(source))


@pytest.mark.parametrize(
    "source",
    [
        "model.eval()",
        "'pickle.load'",
        "import numpy as np\nnp.load('x', allow_pickle=False)",
        "import yaml\nyaml.safe_load(text)",
        "import re\nre.compile('x')",
        "subprocess.run(command)",
    ],
)
def test_what_is_harmless_is_let_through(source: str) -> None:
    assert list(dangers(source)) == []
