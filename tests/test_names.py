"""The four top-level names are generic and must be ours; versions and pins agree."""

import ast
import tomllib
from importlib.metadata import packages_distributions
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.mark.parametrize("name", ["crossmodal", "index", "service", "training"])
def test_top_level_name_is_ours(name: str) -> None:
    spec = find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    assert Path(spec.origin).is_relative_to(ROOT)
    assert name not in packages_distributions()


def test_changelog_names_the_version_of_the_package() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text().splitlines()
    newest = next(line for line in changelog if line.startswith("## "))
    assert newest.split()[1] == PROJECT["version"]


def test_every_direct_dependency_is_pinned() -> None:
    pins = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = {line.split("==")[0] for line in pins if "==" in line}
    groups = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    for requirement in (text for group in groups for text in group):
        name = requirement.split(">")[0].split("[")[0].split("=")[0].strip()
        assert name in pinned, f"{name} has no line in constraints.txt"


def test_no_test_imports_a_conftest() -> None:
    """Imported by its path it would be a second module, with fixtures of its own."""
    wrong = []
    for path in sorted((ROOT / "tests").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_bytes())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or "", *(a.name for a in node.names)]
            if any("conftest" in name.split(".") for name in names):
                wrong.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert wrong == []
