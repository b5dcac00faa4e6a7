"""Kinds of base: which ones a gallery may get, by its vectors and the memory there is.

All kinds hold the vectors themselves in memory and differ in what stands beside them.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from crossmodal.errors import ConfigError

FLAT, HNSW, IVF = "flat", "hnsw", "ivf"
KINDS = (FLAT, HNSW, IVF)
AUTO = "auto"
LINKS = 32  # of each vector on each layer of a graph, twice as many on the lowest


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseSettings:
    """What decides the kind of a base.

    Attributes:
        flat_up_to: So many vectors are compared with one by one: exactly.
        graph_from: So many may get a graph.
        recall: The part of the ten best that a base must find to be used; where that is
            not reached, every vector is compared with: slower, and exact.
        memory_bytes: What the galleries of a collection may take together; None for half
            of the machine's memory.
        kind: ``auto``, or the kind that an operator wants whatever the rule says.
        seed: Draws what lists are made from; the same vectors then give the same bytes.
    """

    flat_up_to: int = 50_000
    graph_from: int = 250_000
    recall: float = 0.99
    memory_bytes: int | None = None
    kind: str = AUTO
    seed: int = 0

    def __post_init__(self) -> None:
        if self.flat_up_to < 0 or not 0 < self.recall <= 1:
            raise ConfigError(
                "expected flat_up_to >= 0 and a recall in (0, 1], got "
                f"{self.flat_up_to} and {self.recall}"
            )
        if self.memory_bytes is not None and self.memory_bytes < 1:
            raise ConfigError(
                f"expected a memory of 1 byte or more, got {self.memory_bytes}"
            )
        if self.kind not in (AUTO, *KINDS):
            raise ConfigError(
                f"the kind of an index is {AUTO}, {', '.join(KINDS)}; not {self.kind!r}"
            )

    def kinds_of(self, count: int, dim: int, collection: int) -> tuple[str, ...]:
        """Return the kinds to try for a gallery, in order, before it is left flat.

        Few vectors are compared with one by one. More are put into lists, which take next
        to nothing and are the fastest where vectors stand in clusters. Where they do not,
        comparing with all is as fast, until there are so many that a graph is faster; its
        links must fit into the memory beside the vectors.

        Args:
            count: Its vectors.
            dim: Their width.
            collection: The vectors of all galleries, among which the memory is shared
                by their numbers.
        """
        if self.kind != AUTO:
            return (self.kind,)
        if count <= self.flat_up_to:
            return (FLAT,)
        memory = self.memory_bytes
        if memory is None:
            memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
        share = memory * count // max(collection, 1)
        graph = count >= self.graph_from and size_bytes(HNSW, count, dim) <= share
        return (IVF, HNSW) if graph else (IVF,)


def size_bytes(kind: str, count: int, dim: int) -> int:
    """Return what a gallery takes in memory, about.

    Beside each vector stand its number; in a graph, the links of its layers, 2.5 times
    as many as `LINKS` on average; in lists, its row there and its place.
    """
    beside = {FLAT: 8, HNSW: 8 + 4 * (2 * LINKS + LINKS // 2), IVF: 24}[kind]
    return count * (4 * dim + beside)
