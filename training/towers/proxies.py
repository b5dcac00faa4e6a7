"""Proxies: an anchor stood for by the attention-weighted mean of its neighbours."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from training.towers.tower import unit_norm


class NeighborProxies(nn.Module):
    r"""Attention over an item and its nearest neighbours of the same modality in a batch.

    $p_i = \sum_j w_{ij} z_j$ with $w_{ij} = \mathrm{softmax}_j(\langle A z_i, B z_j
    \rangle / \sqrt d)$ over the item itself and its k nearest by cosine. The maps A and B
    start as the identity, so the first proxies are smoothed embeddings.

    Source:
        Zeng et al. 2024, Anchor-aware deep metric learning for audio-visual retrieval,
        arXiv:2404.13789; the number of neighbours and the start are our choice.
    """

    def __init__(self, dim: int, neighbors: int) -> None:
        super().__init__()
        self.neighbors = neighbors
        self.asking = nn.Linear(dim, dim, bias=False)
        self.asked = nn.Linear(dim, dim, bias=False)
        with torch.no_grad():
            for layer in (self.asking, self.asked):
                layer.weight.copy_(torch.eye(dim))

    def forward(self, embeddings: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch dim"]:
        """Return the unit-norm proxy of every row of unit-norm embeddings."""
        rows = nearest(embeddings.detach(), self.neighbors + 1)
        asking, asked = self.asking(embeddings), self.asked(embeddings)[rows]
        logits = torch.einsum("bd,bkd->bk", asking, asked) / math.sqrt(len(asking[0]))
        weights = logits.float().softmax(dim=1)
        return unit_norm(torch.einsum("bk,bkd->bd", weights, embeddings[rows]))


def nearest(
    embeddings: Float[Tensor, "batch dim"], count: int
) -> Int64[Tensor, "batch nearest"]:
    """Return each row's nearest rows by cosine, itself first; all if there are fewer."""
    similarities = (embeddings @ embeddings.T).fill_diagonal_(float("inf"))
    return similarities.topk(min(count, len(embeddings)), dim=1).indices
