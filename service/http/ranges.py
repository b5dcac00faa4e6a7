"""Ranges: which part of a file a Range header asks for.

One range is served; a list of several is answered with the whole file, as RFC 9110
allows, unless there are more than 16 of them.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from service.problems import ProblemError

MAX_RANGES = 16
_MAX_HEADER = 512
_RANGE = re.compile(r"(\d{0,18})-(\d{0,18})")


class ByteRange(NamedTuple):
    """Bytes ``first`` to ``last`` of a file, both included."""

    first: int
    last: int

    @property
    def length(self) -> int:
        """How many bytes that are."""
        return self.last - self.first + 1


def parse_range(header: str | None, size: int) -> ByteRange | None:
    """Return the part asked for, or None for the whole file.

    Other units, several ranges and what is no range at all are ignored.

    Raises:
        ProblemError: ``range-not-satisfiable``, if the range begins beyond the file or
            there are too many.
    """
    if header is None:
        return None
    unit, _, wanted = header.partition("=")
    if unit.strip().lower() != "bytes":
        return None
    if wanted.count(",") >= MAX_RANGES or len(wanted) > _MAX_HEADER:
        raise _not_satisfiable(size)
    match = _RANGE.fullmatch(wanted.strip())
    if match is None or match[0] == "-":
        return None
    if not match[1]:
        suffix = min(int(match[2]), size)
        if not suffix:
            raise _not_satisfiable(size)
        return ByteRange(size - suffix, size - 1)
    first = int(match[1])
    last = min(int(match[2]), size - 1) if match[2] else size - 1
    if match[2] and int(match[2]) < first:
        return None
    if first >= size:
        raise _not_satisfiable(size)
    return ByteRange(first, last)


def _not_satisfiable(size: int) -> ProblemError:
    return ProblemError(
        "range-not-satisfiable",
        f"expected at most {MAX_RANGES} ranges that begin within the {size} bytes",
        headers={"content-range": f"bytes */{size}"},
    )
