"""Earshot tower: a posterior from several kernels beside canonical pair coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn

from training.towers.tower import Features, Standardizer, constant, squared_lift, unit_norm

Rows = Float[np.ndarray, "items dim"]


def signed_root(rows: Tensor) -> Tensor:
    """Return the square roots of the absolute values, signs kept."""
    return rows.sign() * rows.abs().sqrt()


def squared_distances(
    rows: Float[Tensor, "batch dim"], landmarks: Float[Tensor, "landmarks dim"]
) -> Float[Tensor, "batch landmarks"]:
    """Return squared Euclidean distances by one matrix product; never negative."""
    squares = rows.square().sum(dim=1, keepdim=True) + landmarks.square().sum(dim=1)
    return (squares - 2 * rows @ landmarks.T).clamp(min=0)


def coordinate_distances(
    rows: Float[Tensor, "batch dim"], landmarks: Float[Tensor, "landmarks dim"]
) -> Float[Tensor, "batch landmarks"]:
    """Return sums of absolute differences of coordinates.

    A graph has no operator for them, so that it takes the differences one by one; that
    needs memory for batch times landmarks times dim of them, which ``cdist`` does not.
    """
    if torch.onnx.is_in_onnx_export():
        return (rows[:, None] - landmarks).abs().sum(dim=2)
    return torch.cdist(rows, landmarks, p=1)


DISTANCES = {"gaussian": squared_distances, "laplacian": coordinate_distances}


class KernelView(nn.Module):
    """One reading of the features: as they are, or their signed roots.

    It scores classes by a linear map and by kernels of several shapes and widths over
    the same landmarks. How many landmarks there are is known once it is fitted, or once
    a state is loaded.
    """

    landmarks: Tensor
    gammas: Tensor
    linear: Tensor
    kernel: Tensor

    def __init__(
        self, dim: int, classes: int, *, shapes: Sequence[str], rooted: bool
    ) -> None:
        super().__init__()
        self.shapes = tuple(shapes)
        self.rooted = rooted
        kernels = len(self.shapes)
        self.standardize = Standardizer(dim)
        self.register_buffer("landmarks", torch.zeros(1, dim))
        self.register_buffer("gammas", torch.ones(kernels))
        self.register_buffer("linear", torch.zeros(dim, classes))
        self.register_buffer("kernel", torch.zeros(kernels, 1, classes))

    def fit_rows(self, features: Float32[np.ndarray, "items dim"]) -> Rows:
        """Fit the standardiser and return the rows that the kernels see, in float64."""
        read = self._read(torch.from_numpy(features)).numpy()
        self.standardize.fit(read)
        return self.standardize.transform(read)

    def set_maps(
        self,
        landmarks: Rows,
        gammas: Sequence[float],
        linear: Float[np.ndarray, "dim classes"],
        kernel: Float[np.ndarray, "kernels landmarks classes"],
    ) -> None:
        """Take landmarks, the kernels' widths and the maps onto class scores."""
        self.landmarks = constant(landmarks)
        self.gammas.copy_(torch.tensor(gammas))
        self.linear.copy_(torch.from_numpy(linear))
        self.kernel = constant(kernel)

    def rows(self, features: Features) -> Float[Tensor, "batch dim"]:
        """Return the standardised reading of the features, in float64."""
        read = self._read(features.double())
        return (read - self.standardize.mean) / self.standardize.scale

    def forward(self, features: Features) -> Float[Tensor, "batch classes"]:
        """Return class scores, offsets not yet added, in float64.

        Weights on whitened kernels are large and of both signs, and float32 would lose
        what their sum leaves.
        """
        rows, landmarks = self.rows(features), self.landmarks.double()
        distances = {shape: DISTANCES[shape](rows, landmarks) for shape in self.shapes}
        scores = rows @ self.linear.double()
        for number, shape in enumerate(self.shapes):
            kernel = torch.exp(-self.gammas[number] * distances[shape])
            scores = scores + kernel @ self.kernel[number].double()
        return scores

    def _read(self, features: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch dim"]:
        return signed_root(features) if self.rooted else features

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *rest: Any
    ) -> None:
        stored = state_dict.get(prefix + "landmarks")
        if stored is not None and stored.shape[1:] == self.landmarks.shape[1:]:
            kernels, _, classes = self.kernel.shape
            self.landmarks = self.landmarks.new_empty(stored.shape)
            self.kernel = self.kernel.new_empty((kernels, len(stored), classes))
        super()._load_from_state_dict(state_dict, prefix, *rest)


class EarshotTower(nn.Module):
    r"""The embedding is $[\sqrt{1-s}\,p,\ \sqrt{s}\,u,\ \text{lift}]$, of unit norm.

    p is the class posterior, u the unit-norm canonical coordinates of the pair, s their
    share. The inner product of two modalities is $(1-s)\,p\cdot q + s\,u\cdot v$; each
    modality lifts to unit norm in a dimension of its own.
    """

    offset: Tensor
    pair_offset: Tensor
    pair_weight: Tensor
    place: Tensor

    def __init__(
        self,
        dim: int,
        classes: int,
        *,
        shapes: Sequence[str],
        components: int,
        share: float,
        lift: int,
        lifts: int,
    ) -> None:
        super().__init__()
        self.share = share
        self.plain = KernelView(dim, classes, shapes=shapes, rooted=False)
        self.rooted = KernelView(dim, classes, shapes=shapes, rooted=True)
        self.register_buffer("offset", torch.zeros(classes))
        self.register_buffer("pair_offset", torch.zeros(dim))
        self.register_buffer("pair_weight", torch.zeros(dim, components))
        place = torch.zeros(lifts)
        place[lift] = 1
        self.register_buffer("place", place, persistent=False)

    def posterior(self, features: Features) -> Float[Tensor, "batch classes"]:
        """Return class probabilities, in float64."""
        scores = self.plain(features) + self.rooted(features) + self.offset
        return torch.softmax(scores, dim=1)

    def forward(self, features: Features) -> Float32[Tensor, "batch embedding"]:
        """Return the embedding."""
        posterior = self.posterior(features)
        rows = self.plain.rows(features) - self.pair_offset
        pair = rows @ self.pair_weight.double()
        unpaired = (pair.abs().sum(dim=1, keepdim=True) == 0).double()
        missing = (1 - self.share) * squared_lift(posterior) + self.share * unpaired
        embedding = torch.cat(
            [
                (1 - self.share) ** 0.5 * posterior,
                self.share**0.5 * unit_norm(pair),
                missing.clamp(min=0).sqrt() * self.place,
            ],
            dim=1,
        )
        return embedding.float()
