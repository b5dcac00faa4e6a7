"""A job: one piece of long work, how far it is, and what it came to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

_KEPT = ("done", "total", "started", "attempts", "error", "result", "params")


class JobState(StrEnum):
    """How far a job is."""

    QUEUED = "queued"
    RUNNING = "running"
    CANCELLING = "cancelling"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether nothing will change any more."""
        return self in (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One piece of work.

    Attributes:
        id: Its name, a random one.
        kind: What is done.
        state: How far it is.
        updated: When it changed last, in Unix seconds.
        params: What the work was told; only for the work itself.
        done: How much of it is done.
        total: How much there is in all; None while that is not known.
        started: When it was first begun, in Unix seconds.
        attempts: How often it was begun and not ended in good order.
        error: Why it failed, in words.
        result: What it came to.
    """

    id: str
    kind: str
    state: JobState
    updated: float
    params: Mapping[str, Any] = field(default_factory=dict)
    done: int = 0
    total: int | None = None
    started: float | None = None
    attempts: int = 0
    error: str | None = None
    result: Mapping[str, Any] | None = None

    def to_json(self) -> str:
        """Return what the store keeps beside id, kind, state and time."""
        return json.dumps({name: getattr(self, name) for name in _KEPT})

    @classmethod
    def from_row(cls, job_id: str, kind: str, state: str, kept: str, updated: float) -> Job:
        """Return a job as the store keeps it; older builds kept its result alone."""
        value: dict[str, Any] = json.loads(kept)
        if "attempts" not in value:
            error = value.pop("error", None)
            value = {"error": error, "result": value or None}
        return cls(id=job_id, kind=kind, state=JobState(state), updated=updated, **value)
