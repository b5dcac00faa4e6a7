"""Class centres: learned beside the networks, by steps of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from training.data import UNLABELED
from training.losses.label import CenterLoss

RATE = 0.5


class ClassCenters:
    r"""The centres of a centre loss and how they move.

    A step moves each by rate 0.5 down the gradient of the unweighted loss, $\frac1n
    \sum_{i: y_i = c} (c - z_i)$: the weight that the loss has for the networks does not
    slow the centres.

    Source:
        Wen et al. 2016, A discriminative feature learning approach for deep face
        recognition, algorithm 1.
    """

    def __init__(
        self, classes: int, dim: int, *, learned: bool, device: torch.device
    ) -> None:
        """Draw centres.

        Args:
            classes: How many.
            dim: Their size.
            learned: Whether they move; otherwise they are drawn anew for every batch.
            device: Where they are.
        """
        self._loss = CenterLoss(classes, dim).to(device).requires_grad_(False)
        self._learned = learned
        self._gradient = torch.zeros_like(self.centers)

    @property
    def centers(self) -> Tensor:
        """The centres, one row per class."""
        return self._loss.centers

    def loss(
        self, rows: Float[Tensor, "batch dim"], labels: Int64[Tensor, "batch"]
    ) -> Float[Tensor, ""]:
        """Return half the mean squared distance to the own centre; remember the pull."""
        known = labels != UNLABELED
        apart = self.centers[labels[known]] - rows.detach().float()[known]
        self._gradient.index_add_(0, labels[known], apart / max(1, len(apart)))
        loss: Tensor = self._loss(rows, labels)
        return loss

    @torch.no_grad()
    def after_step(self) -> None:
        """Move the centres by the pulls since the last step, or draw them anew."""
        if self._learned:
            self.centers.sub_(RATE * self._gradient)
        else:
            self.centers.copy_(torch.randn_like(self.centers))
        self._gradient.zero_()

    def saved(self) -> tuple[Mapping[str, Tensor], Any]:
        """Return the centres, for a training that goes on later."""
        return {"centers": self.centers.detach()}, None

    def load(self, tensors: Mapping[str, Tensor], notes: Any) -> None:
        """Take the centres back."""
        self._loss.load_state_dict(dict(tensors))
