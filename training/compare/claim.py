"""A claim: that methods stand in an order, as a source says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

CHAIN, FIRST = "chain", "first"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a source says of the order of some entries by class mAP, mean of directions.

    Attributes:
        key: Unique name.
        source: Who says so.
        statement: What is said, in a sentence.
        order: Entries as `training.compare.entry.parse_entry` takes them, the best first.
        shape: ``chain``, each better than the next, or ``first``, the first better than
            each of the others.
        scope: The data sets the source shows it on, with the figures printed there for
            the entries in order; empty where it prints none.
    """

    key: str
    source: str
    statement: str
    order: tuple[str, ...]
    scope: Mapping[str, tuple[float, ...]]
    shape: str = CHAIN

    @property
    def steps(self) -> tuple[tuple[int, int], ...]:
        """Places in the order: of the better and of the worse, for all that is claimed."""
        places = range(len(self.order))
        if self.shape == FIRST:
            return tuple((0, place) for place in places[1:])
        return tuple(pairwise(places))
