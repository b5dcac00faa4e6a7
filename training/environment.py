"""Environment: what a result was computed with, for the record beside it."""

from __future__ import annotations

import sys
from typing import Any

from crossmodal.machine import machine


def environment(device: str) -> dict[str, Any]:
    """Return machine, versions and commit, the device and the command."""
    return {**machine(), "device": device, "command": sys.argv}
