"""Reasons: what went wrong, in words that do not tell where files lie."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from crossmodal.errors import CrossmodalError

MAX_REASON = 500  # characters
_ABSOLUTE = re.compile(r"(?<![\w./])(?:/[^\s/'\",:;()]+)+/?")


def reason(error: BaseException, places: Iterable[Path] = ()) -> str:
    """Return an error's words; of an error that is not ours only what kind it is.

    Args:
        error: What was raised.
        places: Paths that are replaced by their last name, whatever they look like.
    """
    if isinstance(error, CrossmodalError):
        return without_paths(str(error), places)[:MAX_REASON]
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__


def without_paths(text: str, places: Iterable[Path] = ()) -> str:
    """Return a text with only the last name of every absolute path in it."""
    known = {str(form) for place in places for form in (place, place.absolute())}
    for place in sorted(known, key=len, reverse=True):
        text = text.replace(place, Path(place).name or "data")
    return _ABSOLUTE.sub(lambda found: Path(found[0]).name, text)
