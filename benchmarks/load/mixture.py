"""The mixture: of twenty requests fourteen search, four store, one deletes, one uploads.

What the n-th request is depends on n alone. Items are stored under ids that come round
again, so that the collection stops growing and what grows on is a leak.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from benchmarks.clusters import MODALITIES
from benchmarks.load.requests import JSON, http_request

ROUND = 20
LAG = 10  # rounds between the storing of an item and its deletion


class Kind(IntEnum):
    """What a request does."""

    SEARCH = 0
    INGEST = 1
    DELETE = 2
    UPLOAD = 3


COUNTS = {Kind.SEARCH: 14, Kind.INGEST: 4, Kind.DELETE: 1, Kind.UPLOAD: 1}
_ORDER = (
    np.random.default_rng(0)
    .permutation([kind for kind, count in COUNTS.items() for _ in range(count)])
    .tolist()
)
INGESTS = COUNTS[Kind.INGEST]


def kind_of(number: int) -> Kind:
    """Return what the n-th request does; nothing is deleted before it was stored."""
    kind = Kind(_ORDER[number % ROUND])
    if kind is Kind.DELETE and number // ROUND < LAG:
        return Kind.SEARCH
    return kind


@dataclass(frozen=True)
class Mixture:
    """Gives the n-th request.

    Attributes:
        searches: Requests by vector.
        clips: Requests by file.
        vectors: Vectors to store, as JSON.
        ids: How many different items are stored over time.
    """

    searches: Sequence[bytes]
    clips: Sequence[bytes]
    vectors: Sequence[str]
    ids: int

    def __call__(self, number: int) -> bytes:
        """Return the n-th request."""
        kind = kind_of(number)
        if kind is Kind.SEARCH:
            return self.searches[number % len(self.searches)]
        if kind is Kind.UPLOAD:
            return self.clips[number // ROUND % len(self.clips)]
        if kind is Kind.DELETE:
            return http_request(self._path(number // ROUND - LAG, 0), method="DELETE")
        place = _ORDER[: number % ROUND].count(Kind.INGEST)
        named = (
            f"{json.dumps(modality)}:{self.vectors[(number + shift) % len(self.vectors)]}"
            for shift, modality in enumerate(MODALITIES)
        )
        body = f'{{"vectors":{{{",".join(named)}}}}}'
        path = self._path(number // ROUND, place)
        return http_request(path, body.encode(), kind=JSON, method="PUT")

    def _path(self, turn: int, place: int) -> str:
        return f"/items/load{(turn * INGESTS + place) % self.ids}"
