"""Neighbours: a symmetric graph of pairs that are near in some modality."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

CHUNK = 1024

Rows = Int64[np.ndarray, "queries"]


class NeighborGraph:
    """Which pairs neighbour which; each neighbours itself."""

    def __init__(self, features: Iterable[Float[Tensor, "pairs _"]], k: int) -> None:
        """Find the k nearest of every pair in every modality, in Euclidean distance.

        Args:
            features: The pairs' features in each modality, same order.
            k: Neighbours per pair and modality; all others if there are fewer.
        """
        edges = []
        for rows in features:
            self.count = len(rows)
            nearest = nearest_rows(rows, min(k, self.count - 1)).cpu().numpy()
            own = np.repeat(np.arange(self.count), nearest.shape[1])
            other = nearest.reshape(-1)
            edges += [own * self.count + other, other * self.count + own]
        edges.append(np.arange(self.count) * (self.count + 1))
        self._edges = np.unique(np.concatenate(edges))
        owners = self._edges // self.count
        self._start = np.searchsorted(owners, np.arange(self.count + 1))

    def of(self, pair: int) -> Rows:
        """Return the neighbours of a pair in ascending order."""
        found: Rows = self._edges[self._start[pair] : self._start[pair + 1]] % self.count
        return found

    def draw(
        self, pairs: Rows, count: int, rng: np.random.Generator
    ) -> Int64[np.ndarray, "queries count"]:
        """Return neighbours of every pair, each drawn by chance, repeats allowed."""
        start = self._start[pairs][:, None]
        degree = self._start[pairs + 1][:, None] - start
        chosen = start + (rng.random((len(pairs), count)) * degree).astype(np.int64)
        drawn: np.ndarray = self._edges[chosen] % self.count
        return drawn

    def joins(
        self, pairs: Rows, others: Int64[np.ndarray, "others"]
    ) -> Bool[np.ndarray, "queries others"]:
        """Return which of the others neighbour which pair."""
        wanted = pairs[:, None] * self.count + others
        place = np.searchsorted(self._edges, wanted).clip(max=len(self._edges) - 1)
        joined: np.ndarray = self._edges[place] == wanted
        return joined


def nearest_rows(
    rows: Float[Tensor, "rows dim"], k: int
) -> Int64[Tensor, "rows neighbors"]:
    """Return the k rows nearest to every row in Euclidean distance, itself left out."""
    rows = rows - rows.mean(dim=0)
    squares = rows.square().sum(dim=1)
    found = []
    for start in range(0, len(rows), CHUNK):
        part = rows[start : start + CHUNK]
        apart = squares - 2 * part @ rows.T
        own = torch.arange(start, start + len(part), device=rows.device)
        apart[torch.arange(len(part), device=rows.device), own] = torch.inf
        found.append(apart.topk(k, dim=1, largest=False).indices)
    return torch.cat(found)
