"""The catalogue: every family, how many cases it has, and a manifest of them all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from tests.corpus import (
    codecs,
    directions,
    encodings,
    flipped,
    ids,
    json_values,
    junk,
    mismatched,
    multipart,
    pixel_bombs,
    references,
    table_bombs,
    time_bombs,
    truncated,
    unusable,
)
from tests.corpus.case import Case
from tests.corpus.references import Canary


class Family(NamedTuple):
    """A function that makes cases, and how many it makes."""

    cases: Callable[[], list[Case]]
    count: int


def families(canary: Canary | None = None) -> Mapping[str, Family]:
    """Return every family; ``canary`` is what the references point at."""
    return {
        "truncated": Family(truncated.cases, 80),
        "flipped": Family(flipped.cases, 60),
        "junk": Family(junk.cases, 16),
        "mismatched": Family(mismatched.cases, 24),
        "references": Family(partial(references.cases, canary), 28),
        "pixel bombs": Family(pixel_bombs.cases, 18),
        "table bombs": Family(table_bombs.cases, 22),
        "time bombs": Family(time_bombs.cases, 26),
        "unusable": Family(unusable.cases, 14),
        "codecs": Family(codecs.cases, 12),
        "encodings": Family(encodings.cases, 4),
        "multipart": Family(multipart.cases, 28),
        "json": Family(json_values.cases, 30),
        "ids": Family(ids.cases, 18),
        "directions": Family(directions.cases, 8),
    }


def entry(case: Case) -> dict[str, object]:
    """Return a case's line of the manifest."""
    return {
        "name": case.name,
        "sha256": hashlib.sha256(case.body).hexdigest(),
        "endpoint": case.endpoint,
        "statuses": case.statuses,
        "code": sorted(case.codes),
    }


def write(directory: Path) -> int:
    """Write every body, named by its sha256, and the manifest; return how many cases."""
    directory.mkdir(parents=True, exist_ok=True)
    listed = []
    for family in families().values():
        for case in family.cases():
            listed.append(entry(case))
            (directory / str(listed[-1]["sha256"])).write_bytes(case.body)
    (directory / "manifest.json").write_text(json.dumps(listed, indent=1) + "\n")
    return len(listed)
