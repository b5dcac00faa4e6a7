import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from crossmodal import machine as module
from crossmodal.machine import machine


def test_a_record_says_machine_versions_and_commit() -> None:
    found = machine()
    assert found["python"] == platform.python_version()
    assert found["packages"]["numpy"] == version("numpy")
    if platform.system() == "Linux":
        pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        assert int(found["memory"].split()[0]) * 1024 == pytest.approx(pages, rel=0.02)
        assert found["cores"] == int(subprocess.check_output(["nproc"], env={}))
    if (module.ROOT / ".git").exists():
        head = subprocess.check_output(["git", "-C", module.ROOT, "rev-parse", "HEAD"])
        assert head.decode().startswith(found["commit"].removesuffix("-dirty"))


def test_what_is_unknown_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert module._field("/no/such/file", "x") is None
    monkeypatch.setattr(module, "PACKAGES", ("no-such-package-here",))
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(platform, "processor", lambda: "")
    monkeypatch.setattr(module, "_field", lambda path, key: None)
    found = machine()
    assert found["packages"] == {"no-such-package-here": None}
    assert (found["commit"], found["processor"], found["memory"]) == (None, None, None)
