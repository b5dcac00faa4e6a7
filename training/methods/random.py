"""Random scores: what any method must beat, and a check of the metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from jaxtyping import Float32, Int64
from torch import Tensor, nn

from training.config import Settings, check_range
from training.data import TrainingData
from training.methods.method import FitContext, MethodCard, Problem, Towers
from training.towers.tower import Features, unit_norm

_MASK = 0xFFFFFFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomSettings(Settings):
    """Settings of random embeddings.

    Attributes:
        dim: Embedding size.
    """

    dim: int = 64

    def __post_init__(self) -> None:
        check_range("dim", self.dim, 2, 4096)


class Random:
    """A direction drawn per item, the draw being a hash of its features and the seed.

    A fixed random projection would keep neighbourhoods and so score above chance; a draw
    per row number would change with the order. A hash of the features' bits does neither.
    """

    card: ClassVar[MethodCard] = MethodCard(
        name="random",
        title="Random embeddings",
        source="chance",
        supervision="none",
        needs_pairs=False,
        embedding="a random direction per item",
        exportable=False,
    )
    presets: ClassVar[Mapping[str, RandomSettings]] = {
        "paper": RandomSettings(),
        "tuned": RandomSettings(),
    }
    grids: ClassVar[tuple[Mapping[str, tuple[Any, ...]], ...]] = ()

    def build(self, settings: RandomSettings, problem: Problem) -> Towers:
        """Return a hash per modality."""
        return {m: HashTower(settings.dim) for m in problem.modalities}

    def fit(
        self,
        towers: Towers,
        train: TrainingData,
        validation: TrainingData | None,
        settings: RandomSettings,
        context: FitContext,
    ) -> None:
        """Take the seed, another for each modality; the data is not looked at."""
        for number, modality in enumerate(train.modalities):
            seed = torch.tensor(context.seed * 1_000_003 + number)
            towers[modality].load_state_dict({"seed": seed})

    def refits(self, settings: RandomSettings) -> bool:
        """Nothing is learned, so nothing is learned from validation data."""
        return False

    def same_modality_mask(
        self, settings: RandomSettings, problem: Problem
    ) -> tuple[int, ...]:
        """Every dimension counts in every direction."""
        return ()


class HashTower(nn.Module):
    """Maps the bits of a row to a direction, uniform over the sphere."""

    seed: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim
        self.register_buffer("seed", torch.tensor(0))

    def forward(self, features: Features) -> Float32[Tensor, "batch components"]:
        """Return unit-norm rows that only equal features share."""
        bits = (features + 0.0).contiguous().view(torch.int32).long() & _MASK  # -0 is 0
        place = torch.arange(bits.shape[1], device=bits.device)
        keys = _mix(_mix(bits + _mix(place + self.seed)).sum(dim=1) & _MASK)
        wanted = torch.arange(2 * self.dim, device=bits.device)
        uniform = (_mix(keys[:, None] + _mix(wanted + 1)).double() + 0.5) / (_MASK + 1.0)
        radius = (-2 * uniform[:, : self.dim].log()).sqrt()
        normal = radius * (2 * torch.pi * uniform[:, self.dim :]).cos()
        return unit_norm(normal.float())


def _mix(keys: Int64[Tensor, "*any"]) -> Int64[Tensor, "*any"]:
    """Scramble 32-bit keys held in int64, so that products stay exact.

    Source:
        Mueller, integer hash with multiplier 0x45d9f3b.
    """
    keys = keys & _MASK
    for _ in range(2):
        keys = ((keys ^ (keys >> 16)) * 0x45D9F3B) & _MASK
    return keys ^ (keys >> 16)
