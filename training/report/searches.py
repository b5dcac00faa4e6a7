"""Searches: what the entries of a comparison tried on validation, as trials."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from training.protocol.trials import Trials, Value, averaged
from training.report.standing import Standing


def searched(standing: Standing, name: str) -> Trials | None:
    """Return what an entry's selection tried on validation; None if it had no choice."""
    jobs = standing.results.candidates(name)
    found = [
        (_plain(c["settings"]), c["score"], c["directions"])
        for outcome, candidates in jobs
        for c in candidates
        if outcome.fold in (None, 1)
    ]
    if not found:
        return None
    metric = jobs[0][0].values["selection"]["metric"]
    trials = Trials(name, "validation", metric, averaged(found))
    return trials if trials.varied else None


def _plain(settings: Mapping[str, Any]) -> dict[str, Value]:
    return {
        key: value if isinstance(value, str | int | float | bool) else json.dumps(value)
        for key, value in settings.items()
    }
