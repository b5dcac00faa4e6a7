r"""Gaussian kernel features: the kernel between items and landmarks, and its whitening.

With $K_{mm} + \epsilon m I = R R^T$ over m landmarks, the features of an item are
$\phi(x) = R^{-1} k(x)$, $k(x)$ its kernel with every landmark (Nyström). Where every
training item is a landmark, their inner products are the kernel itself, so linear CCA of
centred features is kernel CCA; fewer landmarks approximate it. R is a Cholesky factor:
another root only rotates the features, which changes no correlation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64
from scipy.linalg import cholesky, solve_triangular
from scipy.spatial.distance import pdist

Items = Float64[np.ndarray, "items dim"]
Landmarks = Float64[np.ndarray, "landmarks dim"]
Kernel = Float64[np.ndarray, "items landmarks"]

JITTER = 1e-6  # epsilon, a share of the variance: bounds what whitening amplifies
SAMPLE = 1000  # items among which the median distance is taken


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


def median_gamma(items: Items, rng: np.random.Generator) -> float:
    """Return one over the median squared distance of different items of a sample.

    Raises:
        ValueError: If half of the distances are zero.
    """
    chosen = items[rng.permutation(len(items))[:SAMPLE]]
    median = float(np.median(pdist(chosen, "sqeuclidean"))) if len(chosen) > 1 else 0.0
    if median <= 0:
        raise ValueError("more than half of the items are equal: no kernel width fits them")
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
    """The features of one modality: landmarks, kernel width and whitening."""

    landmarks: Landmarks
    gamma: float
    root: Float64[np.ndarray, "landmarks landmarks"]

    @classmethod
    def of(cls, landmarks: Landmarks, gamma: float) -> KernelMap:
        """Return the map of these landmarks."""
        kernel = gaussian(landmarks, landmarks, gamma)
        kernel[np.diag_indices(len(kernel))] = 1 + JITTER * len(kernel)
        return cls(landmarks, gamma, cholesky(kernel, lower=True))

    def kernel(self, items: Items) -> Kernel:
        """Return the kernel of items with the landmarks."""
        return gaussian(items, self.landmarks, self.gamma)

    def features(self, items: Items) -> Kernel:
        """Return whitened features; their inner products approximate the kernel."""
        whitened: Kernel = solve_triangular(self.root, self.kernel(items).T, lower=True).T
        return whitened

    def unwhitened(
        self, directions: Float64[np.ndarray, "landmarks components"]
    ) -> Float64[np.ndarray, "landmarks components"]:
        """Return what to multiply the kernel with to project features on directions."""
        weights: np.ndarray = solve_triangular(self.root, directions, lower=True, trans="T")
        return weights
