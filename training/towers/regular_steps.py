"""Regular steps: sequences of any length brought to one number of steps.

Where an item's steps end, the rest of a sequence is NaN: padding that no other item's
length can change.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float32
from torch import Tensor, nn

Sequences = Float32[Tensor, "batch time dim"]
Regular = Float32[Tensor, "batch steps dim"]
Real = Bool[Tensor, "batch steps"]


class RegularSteps(nn.Module):
    """Makes every sequence the same number of steps long.

    A sequence that is no longer keeps its steps, and zeros follow; of a longer one, each
    step is the mean of a stretch, the stretches being as equal as whole steps allow.
    """

    numbers: Tensor

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.register_buffer("numbers", torch.arange(steps).float(), persistent=False)

    def forward(self, sequences: Sequences) -> tuple[Regular, Real]:
        """Return the steps, and whether each stands for any of the sequence's own."""
        own = sequences[:, :, 0].isnan().logical_not()
        position = own.float().cumsum(dim=1) - 1
        span = own.float().sum(dim=1, keepdim=True).clamp(min=self.steps)
        place = (position * self.steps / span).floor()
        members = (place.unsqueeze(2) == self.numbers) & own.unsqueeze(2)
        members = members.to(sequences.dtype)
        counts = members.sum(dim=1)
        values = torch.where(own.unsqueeze(2), sequences, 0.0)
        sums = members.transpose(1, 2) @ values
        return sums / counts.clamp(min=1).unsqueeze(2), counts > 0


class StepNorm(nn.Module):
    """Batch norm over the real steps of a batch."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(dim)

    def forward(self, steps: Regular, real: Real) -> Regular:
        """Return normalised steps; what stands where none is real means nothing."""
        if not self.training:
            normalized: Tensor = self.norm(steps.transpose(1, 2))
            return normalized.transpose(1, 2)
        found = torch.zeros_like(steps)
        found[real] = self.norm(steps[real]).to(steps.dtype)
        return found
