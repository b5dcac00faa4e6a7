"""How large and how long a run is, and the vectors that all its parts share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from benchmarks.clusters import Clusters, nearest
from crossmodal.modality import Modality

K = 10
GALLERY = Modality.VISUAL


@dataclass(frozen=True, kw_only=True)
class Scale:
    """What a run depends on.

    Attributes:
        items: How many are stored.
        dim: The width of every vector.
        queries: How many different ones are asked.
        seconds: How long each rate is measured.
        connections: With how many connections each peak is looked for.
        open_connections: How many carry the open loop.
        seed: Of vectors and arrival times.
    """

    items: int = 100_000
    dim: int = 128
    queries: int = 200
    seconds: float = 4.0
    connections: tuple[int, ...] = (1, 8, 32)
    open_connections: int = 64
    seed: int = 0


class Vectors:
    """What is stored and asked, and what brute force answers."""

    def __init__(self, scale: Scale) -> None:
        """Draw them; the truth is computed when it is first asked for."""
        clusters = Clusters(scale.items, scale.dim, scale.seed)
        self.scale = scale
        self.rows = clusters.draw(scale.items)
        self.queries = clusters.queries(scale.queries)

    @property
    def gallery(self) -> np.ndarray:
        """The rows (items, dim) that are searched."""
        return self.rows[GALLERY]

    @cached_property
    def truth(self) -> np.ndarray:
        """The rows (queries, 10) that answer each query exactly, best first."""
        return nearest(self.queries, self.gallery, K)

    def recall(self, found: list[list[int]]) -> float:
        """Return the part of the ten best that answers hold, over all queries."""
        pairs = zip(found, self.truth.tolist(), strict=True)
        shares = [len(set(rows) & set(best)) / len(best) for rows, best in pairs]
        return float(np.mean(shares))
