"""Threads of the service: none waits long for the interpreter."""

from __future__ import annotations

import sys

from service.threads import TURN_S, take_short_turns


def test_turns_are_short() -> None:
    before = sys.getswitchinterval()
    try:
        take_short_turns()
        assert abs(sys.getswitchinterval() - TURN_S) < 1e-6 < TURN_S < before
    finally:
        sys.setswitchinterval(before)
