"""Environments: one per peer under var/peers, installed from its pinned requirements."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path("var/peers")
INSTALL_S = 1200.0
MARK = "installed"  # holds the digest of the requirements; its presence means it is whole
MIB = 2**20


class PeerError(Exception):
    """A peer cannot be measured; the message says why."""


def environment(name: str, requirements: Path, root: Path = ROOT) -> Path:
    """Return the Python of a peer's environment, made first where it is not there yet.

    Raises:
        PeerError: If it cannot be installed, with the installer's last line.
    """
    folder = root / name / "env"
    python = folder / "bin" / "python"
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()
    mark = folder / MARK
    if mark.is_file() and mark.read_text() == digest:
        return python
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    print(f"installing {name} into {folder}: minutes", file=sys.stderr)
    log = root / name / "install.log"
    run_logged([sys.executable, "-m", "venv", str(folder)], log, INSTALL_S)
    pip = [str(python), "-m", "pip", "install", "--quiet", "-r", str(requirements)]
    run_logged(pip, log, INSTALL_S)
    mark.write_text(digest)
    return python


def run_logged(command: list[str], log: Path, seconds: float) -> str:
    """Run a command to its end and return what it prints; its errors go to the log.

    Raises:
        PeerError: If it fails or takes longer than that.
    """
    try:
        with log.open("wb") as errors:
            done = subprocess.run(
                command, stdout=subprocess.PIPE, stderr=errors, text=True, timeout=seconds
            )
    except subprocess.TimeoutExpired:
        raise PeerError(f"{Path(command[0]).name} took longer than {seconds:g} s") from None
    except OSError as error:
        raise PeerError(f"{command[0]} cannot be run: {error.strerror}") from None
    if done.returncode:
        lines = log.read_text(errors="replace").strip().splitlines() or ["no output"]
        said = next(
            (line for line in reversed(lines) if "ERROR" in line.upper()), lines[-1]
        )
        raise PeerError(f"exit status {done.returncode}: {said.strip()[:300]}")
    return done.stdout


def size_mib(folder: Path) -> float:
    """Return what the files of a folder take, in MiB."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return round(sum(path.stat().st_size for path in files) / MIB, 1)
