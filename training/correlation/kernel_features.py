r"""Kernel features: rows whose inner products approximate a Gaussian kernel.

With the kernel of the landmarks $K = RR^T$, the features of an item are $R^{-1}k(x)$,
$k(x)$ its kernel with every landmark (Nyström); a linear map of them is a linear map of
$k(x)$ by $R^{-T}$.

Source:
    Williams and Seeger 2001, Using the Nyström method to speed up kernel machines.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.linalg import cholesky, solve_triangular

from training.correlation.kernels import KernelMap

Items = Float64[np.ndarray, "items dim"]
Features = Float64[np.ndarray, "items landmarks"]


@dataclass(frozen=True, slots=True)
class KernelFeatures:
    """A kernel with its landmarks, and the root that whitens it."""

    kernel: KernelMap
    root: Float64[np.ndarray, "landmarks landmarks"]

    @classmethod
    def of(cls, kernel: KernelMap) -> KernelFeatures:
        """Return the features of a kernel."""
        return cls(kernel, cholesky(kernel.penalty(), lower=True))

    def features(self, items: Items) -> Features:
        """Return one row per item."""
        whitened: Features = solve_triangular(
            self.root, self.kernel.kernel(items).T, lower=True
        ).T
        return whitened

    def on_kernel(
        self, weight: Float64[np.ndarray, "landmarks outputs"]
    ) -> Float64[np.ndarray, "landmarks outputs"]:
        """Return the map of kernel rows that a map of features amounts to."""
        on_kernel: np.ndarray = solve_triangular(self.root, weight, lower=True, trans="T")
        return on_kernel
