r"""Kernel features: an item by its kernel with stored landmarks.

A direction $\sum_z a_z \phi(z)$ of the kernel's space over landmarks z projects an item on
$a^T k(x)$, $k(x)$ its kernel with every landmark, and has the squared length $a^T K a$.
CCA of $k(x)$ with the penalty K is therefore ridge CCA in that space: kernel CCA where
every training item is a landmark, an approximation by fewer landmarks otherwise (Nyström).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float64, Int64
from scipy.spatial.distance import pdist

from crossmodal.parallel import in_parallel
from training.correlation.moments import BLOCK_ROWS, Chosen, Rows

Items = Float64[np.ndarray, "items dim"]
Landmarks = Float64[np.ndarray, "landmarks dim"]
Kernel = Float64[np.ndarray, "items landmarks"]

JITTER = 1e-6  # a share of the variance: bounds how much rounding is amplified
SAMPLE = 1000  # items among which the median distance is taken


@dataclass(frozen=True, slots=True)
class UnitRows:
    """Rows scaled to unit norm where they are asked for."""

    rows: Rows

    @property
    def shape(self) -> tuple[int, ...]:
        """How many rows, how wide."""
        return self.rows.shape

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows: Chosen) -> Items:
        found = self.rows[rows]
        unit: Items = found / np.linalg.norm(found, axis=1, keepdims=True).clip(min=1e-12)
        return unit


def squared_distances(items: Items, landmarks: Landmarks) -> Kernel:
    """Return squared Euclidean distances by one matrix product; never negative."""
    products = items @ landmarks.T
    products *= -2
    products += (items**2).sum(axis=1)[:, None]
    products += (landmarks**2).sum(axis=1)
    distances: Kernel = np.maximum(products, 0, out=products)
    return distances


def gaussian(items: Items, landmarks: Landmarks, gamma: float) -> Kernel:
    r"""Return the kernel $e^{-\gamma\|x - z\|^2}$ of every item with every landmark."""
    distances = squared_distances(items, landmarks)
    distances *= -gamma
    kernel: Kernel = np.exp(distances, out=distances)
    return kernel


def laplacian(items: Items, landmarks: Landmarks, gamma: float) -> Kernel:
    r"""Return the kernel $e^{-\gamma\|x - z\|_1}$ of every item with every landmark.

    Far coordinates count by their distance, not its square, so that a few odd features
    do not make an item unlike all others.
    """
    distances = torch.cdist(torch.from_numpy(items), torch.from_numpy(landmarks), p=1)
    kernel: Kernel = torch.exp_(distances.mul_(-gamma)).numpy()
    return kernel


SHAPES = {"gaussian": gaussian, "laplacian": laplacian}
DISTANCES = {"gaussian": "sqeuclidean", "laplacian": "cityblock"}


def median_gamma(items: Rows, rng: np.random.Generator, shape: str = "gaussian") -> float:
    """Return one over the median distance of different items of a sample.

    Args:
        items: To take the sample from.
        rng: Draws it.
        shape: Of the kernel, which says what distance: squared, or of coordinates.

    Raises:
        ValueError: If half of these distances are zero, or there are none.
    """
    chosen = items[rng.permutation(len(items))[:SAMPLE]]
    median = float(np.median(pdist(chosen, DISTANCES[shape]))) if len(chosen) > 1 else 0.0
    if median <= 0:
        raise ValueError("half of the items are equal or more: no kernel width fits them")
    return 1 / median


def choose_landmarks(
    count: int, *, exact: int, landmarks: int, rng: np.random.Generator
) -> Int64[np.ndarray, "chosen"]:
    """Return the rows that serve as landmarks, in ascending order.

    Args:
        count: How many items there are.
        exact: Up to this many, every one is a landmark.
        landmarks: How many are drawn among more.
        rng: Draws them.
    """
    if count <= exact:
        return np.arange(count)
    chosen: np.ndarray = np.sort(rng.permutation(count)[:landmarks])
    return chosen


@dataclass(frozen=True, slots=True)
class KernelMap:
    """The kernel of one modality: its landmarks, its width and its shape."""

    landmarks: Landmarks
    gamma: float
    shape: str = "gaussian"

    def kernel(self, items: Items) -> Kernel:
        """Return the kernel of items with the landmarks."""
        return SHAPES[self.shape](items, self.landmarks, self.gamma)

    def kernel_of_all(self, rows: Rows) -> Kernel:
        """Return the kernel of rows of any number, blocks of them shared by the cores."""
        kernel = np.empty((len(rows), len(self.landmarks)))

        def fill(start: int) -> None:
            part = slice(start, start + BLOCK_ROWS)
            kernel[part] = self.kernel(rows[part])

        for _ in in_parallel(fill, range(0, len(rows), BLOCK_ROWS)):
            pass
        return kernel

    def penalty(self) -> Float64[np.ndarray, "landmarks landmarks"]:
        """Return what a direction's squared length is taken with.

        A jitter keeps it definite where landmarks are equal or nearly so.
        """
        kernel = self.kernel(self.landmarks)
        kernel[np.diag_indices(len(kernel))] = 1 + JITTER * len(kernel)
        return kernel
