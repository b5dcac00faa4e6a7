"""What a decoding process cannot do, tried in one, and read from the kernel."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from crossmodal.media.decoder import Decoder
from crossmodal.media.limits import MediaLimits
from crossmodal.media.tracks import AudioRequest
from crossmodal.modality import Modality

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the walls are Linux's")

ATTEMPTS = """
import ctypes, json, mmap, os, resource, sys
from crossmodal.media.confinement import confine_child, confine_server
from crossmodal.media.limits import MediaLimits

spare = os.open(sys.argv[1], os.O_WRONLY)
confine_server()
confine_child(MediaLimits(open_files=16, cpu_s=7), os.getppid())

def attempt(act):
    try:
        act()
    except (OSError, MemoryError) as error:
        return type(error).__name__
    return "done"

on_death = ctypes.c_int()
ctypes.CDLL(None).prctl(2, ctypes.byref(on_death), 0, 0, 0)

print(json.dumps({
    "signal at the parent's death": on_death.value,
    "memory": attempt(lambda: mmap.mmap(-1, 600 << 20)),
    "relative": attempt(lambda: open("canary", "w")),
    "write": attempt(lambda: os.write(spare, b"x")),
    "files": attempt(lambda: [os.open("/dev/null", os.O_RDONLY) for _ in range(20)]),
    "cwd": attempt(os.getcwd),
    "cpu": resource.getrlimit(resource.RLIMIT_CPU),
    "core": resource.getrlimit(resource.RLIMIT_CORE),
}))
"""


def test_what_is_taken_away_is_gone(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    answer = subprocess.run(
        [sys.executable, "-c", ATTEMPTS, str(file)], check=True, capture_output=True
    )
    assert json.loads(answer.stdout) == {
        "signal at the parent's death": 9,
        "memory": "OSError",
        "files": "OSError",
        "write": "OSError",
        "relative": "FileNotFoundError",
        "cwd": "FileNotFoundError",
        "cpu": [7, 8],
        "core": [0, 0],
    }
    assert file.read_bytes() == b""


def test_a_child_at_work_is_confined(
    decoder: Decoder,
    limited: Callable[[MediaLimits], Decoder],
    making: SimpleNamespace,
) -> None:
    tone = making.Sound("flac", making.tone(50, 600.0, 4_000), 4_000)
    noise = making.encode("flac", tone)
    slow = limited(MediaLimits(max_used_s=600.0, wall_s=120.0))
    with ThreadPoolExecutor(1) as pool:
        decoding = pool.submit(slow.decode, noise, {Modality.AUDIO: AudioRequest(8_000)})
        seen = look_at_child()
        decoding.result()
    assert seen["limits"]["Max address space"] == "536870912"
    assert seen["limits"]["Max cpu time"] == "15"
    assert seen["limits"]["Max open files"] == "32"
    assert seen["limits"]["Max file size"] == "0"
    assert seen["limits"]["Max processes"] == "0"
    assert seen["cwd"].endswith("(deleted)")
    assert seen["no new privileges"] == "1"
    assert sorted(seen["open"]) == ["/dev/null"] * 3 + ["/memfd:media (deleted)", "socket"]
    assert set(seen["environment"]) <= {
        "PATH", "LD_LIBRARY_PATH", "TMPDIR", "PYTHONPATH", "OPENBLAS_NUM_THREADS",
    }  # fmt: skip
    if os.geteuid() == 0:
        assert seen["network"] != os.readlink("/proc/self/ns/net")


def look_at_child() -> Mapping[str, object]:
    end = time.monotonic() + 240
    while time.monotonic() < end:
        for child in grandchildren():
            try:
                seen = describe(child)
            except OSError:
                continue
            if seen["limits"].get("Max processes") == "0":  # confined: decoding began
                return seen
        time.sleep(0.002)
    raise AssertionError("no child was seen")


def grandchildren() -> list[str]:
    found = []
    for server in Path(f"/proc/{os.getpid()}/task").glob("*/children"):
        for pid in server.read_text().split():
            path = Path(f"/proc/{pid}/task/{pid}/children")
            if path.exists():
                found += path.read_text().split()
    return found


def describe(pid: str) -> dict:
    root = Path("/proc", pid)
    lines = (root / "limits").read_text().splitlines()[1:]
    pairs = (line.partition(":") for line in (root / "status").read_text().splitlines())
    status = {name: value.strip() for name, _, value in pairs}
    targets = [os.readlink(path) for path in (root / "fd").iterdir()]
    return {
        "limits": {line[:26].strip(): line[26:47].strip() for line in lines},
        "cwd": os.readlink(root / "cwd"),
        "network": os.readlink(root / "ns" / "net"),
        "no new privileges": status["NoNewPrivs"],
        "open": ["socket" if t.startswith("socket:") else t for t in targets],
        "environment": [
            entry.split("=")[0]
            for entry in (root / "environ").read_text().split("\0")
            if entry
        ],
    }
