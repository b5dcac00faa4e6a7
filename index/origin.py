"""Origins: what a data directory was made from, if from another one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from crossmodal.errors import CollectionError

ORIGIN = "origin.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What a generation was made from: whose items, and up to which write."""

    model_id: str
    seq: int


def read_origin(directory: Path) -> Origin | None:
    """Return what a data directory was made from; None if from a source of its own.

    Raises:
        CollectionError: If the note is damaged.
    """
    try:
        return Origin(**json.loads((directory / ORIGIN).read_bytes()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError):
        raise CollectionError(f"{ORIGIN} is damaged; make the generation anew") from None
