"""Linear CCA in closed form, from true pairs, from all pairs of a class, or a blend.

Conventions: float64 throughout; the ridge is relative, ``ridge * trace / dim``, so one
value serves features of any scale; the largest entry of every column of the first
modality's projection is positive, which makes the solution unique. A blend of two sets
of pairs weighs marginals and cross covariance alike, which keeps correlations at 1 or
below; with the marginals of one set alone they may exceed it.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from jaxtyping import Float64, Int64
from scipy.linalg import cholesky, solve_triangular
from scipy.sparse.linalg import LinearOperator, svds

from crossmodal.parallel import one_blas_thread
from training.correlation.moments import Rows, add_up, mean_of

Penalty = Float64[np.ndarray, "_ _"]

ONE_THREAD = 1200  # up to this size several threads gain nothing
DENSE_SVD = 500  # up to this size, all singular vectors cost less than a few


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """Means and covariances of two modalities over one set of pairs."""

    left_mean: Float64[np.ndarray, "left"]
    right_mean: Float64[np.ndarray, "right"]
    left: Float64[np.ndarray, "left left"]
    right: Float64[np.ndarray, "right right"]
    cross: Float64[np.ndarray, "left right"]

    def blend(self, other: Moments, share: float) -> Moments:
        """Return ``share`` of the other's moments and the rest of these."""

        def mix(mine: np.ndarray, theirs: np.ndarray) -> np.ndarray:
            mixed: np.ndarray = (1 - share) * mine + share * theirs
            return mixed

        return Moments(
            left_mean=mix(self.left_mean, other.left_mean),
            right_mean=mix(self.right_mean, other.right_mean),
            left=mix(self.left, other.left),
            right=mix(self.right, other.right),
            cross=mix(self.cross, other.cross),
        )

    def with_marginals(self, other: Moments) -> Moments:
        """Return this cross covariance between the other's marginals."""
        return replace(other, cross=self.cross)


@dataclass(frozen=True, slots=True)
class Solution:
    """Canonical directions, most correlated first, with their correlations."""

    left: Float64[np.ndarray, "left components"]
    right: Float64[np.ndarray, "right components"]
    correlations: Float64[np.ndarray, "components"]

    @property
    def rank(self) -> int:
        """How many correlations differ from zero."""
        return int(np.count_nonzero(self.correlations > 1e-8))


def pair_moments(left: Rows, right: Rows) -> Moments:
    """Return the moments over true pairs, row i with row i."""
    left_mean, right_mean = mean_of(left), mean_of(right)

    def products(part: slice) -> tuple[np.ndarray, ...]:
        x, y = left[part] - left_mean, right[part] - right_mean
        return x.T @ x, y.T @ y, x.T @ y

    left_left, right_right, cross = (
        total / len(left) for total in add_up(len(left), products)
    )
    return Moments(
        left_mean=left_mean,
        right_mean=right_mean,
        left=left_left,
        right=right_right,
        cross=cross,
    )


def class_pair_moments(
    left: Rows,
    right: Rows,
    left_labels: Int64[np.ndarray, "items"],
    right_labels: Int64[np.ndarray, "others"],
) -> Moments:
    r"""Return the moments over every pair of equal label, from sums per class alone.

    With $s^x_c$ the sum of a class, $n_c$ its size and $L = \sum_c n^x_c n^y_c$, the
    mean is $\frac1L\sum_c n^y_c s^x_c$, the second moment weighs each item by $n^y_c$,
    and the cross moment is $\frac1L\sum_c s^x_c (s^y_c)^T$: the pairs are never listed.
    The modalities may differ in their number of items.

    Raises:
        ValueError: If no class is present in both.

    Source:
        Rasiwasia et al. 2014, Cluster Canonical Correlation Analysis.
    """
    classes = int(max(left_labels.max(), right_labels.max())) + 1
    left_sizes, right_sizes = (
        np.bincount(labels, minlength=classes).astype(np.float64)
        for labels in (left_labels, right_labels)
    )
    pairs = float(left_sizes @ right_sizes)
    if pairs == 0:
        raise ValueError("no class is present in both modalities")
    left_origin, left_sums, left_products = _class_sums(
        left, left_labels, right_sizes / pairs
    )
    right_origin, right_sums, right_products = _class_sums(
        right, right_labels, left_sizes / pairs
    )
    left_mean = right_sizes @ left_sums / pairs
    right_mean = left_sizes @ right_sums / pairs
    return Moments(
        left_mean=left_mean + left_origin,
        right_mean=right_mean + right_origin,
        left=left_products - np.outer(left_mean, left_mean),
        right=right_products - np.outer(right_mean, right_mean),
        cross=left_sums.T @ right_sums / pairs - np.outer(left_mean, right_mean),
    )


def solve(
    moments: Moments,
    ridge: float,
    *,
    penalties: tuple[Penalty, Penalty] | None = None,
    components: int | None = None,
) -> Solution:
    """Return the directions of largest correlation under a ridge.

    Args:
        moments: Of the two modalities.
        ridge: How much of a penalty is added to each covariance.
        penalties: Left's and right's; the mean variance times the unit matrix if None.
        components: How many directions to return; all if None.

    Raises:
        numpy.linalg.LinAlgError: If a covariance is singular and the ridge too small.

    Source:
        Hotelling 1936, Relations between two sets of variates.
    """
    if penalties is None:
        penalties = _mean_variance(moments.left), _mean_variance(moments.right)
    with one_blas_thread() if max(moments.cross.shape) <= ONE_THREAD else nullcontext():
        return _solve(moments, ridge, penalties, components)


def _solve(
    moments: Moments,
    ridge: float,
    penalties: tuple[Penalty, Penalty],
    components: int | None,
) -> Solution:
    left_root = cholesky(moments.left + ridge * penalties[0], lower=True)
    right_root = cholesky(moments.right + ridge * penalties[1], lower=True)
    if components is None or min(moments.cross.shape) <= max(DENSE_SVD, 4 * components):
        half = solve_triangular(left_root, moments.cross, lower=True)
        whitened = solve_triangular(right_root, half.T, lower=True).T
        left, correlations, right = np.linalg.svd(whitened, full_matrices=False)
        left, right = left[:, :components], right.T[:, :components]
        correlations = correlations[:components]
    else:
        left, correlations, right = _leading(
            left_root, moments.cross, right_root, components
        )
    left_directions = solve_triangular(left_root, left, lower=True, trans="T")
    right_directions = solve_triangular(right_root, right, lower=True, trans="T")
    largest = np.abs(left_directions).argmax(axis=0)
    signs = np.sign(left_directions[largest, np.arange(len(correlations))])
    signs[signs == 0] = 1
    return Solution(left_directions * signs, right_directions * signs, correlations)


def _leading(
    left_root: Penalty,
    cross: Float64[np.ndarray, "left right"],
    right_root: Penalty,
    count: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the leading singular vectors and values of the whitened cross covariance.

    The iteration takes nothing but its products with vectors, so it is never formed.
    """
    divide = partial(solve_triangular, lower=True, check_finite=False)

    def times(vector: np.ndarray) -> np.ndarray:
        product: np.ndarray = divide(
            left_root, cross @ divide(right_root, vector, trans="T")
        )
        return product

    def transposed(vector: np.ndarray) -> np.ndarray:
        product: np.ndarray = divide(
            right_root, cross.T @ divide(left_root, vector, trans="T")
        )
        return product

    whitened = LinearOperator(cross.shape, times, transposed, dtype=np.float64)
    # The start decides the last digits of what the iteration finds.
    start = np.random.default_rng(0).standard_normal(min(cross.shape))
    left, values, right = svds(whitened, k=count, v0=start)
    order = np.argsort(-values)
    return left[:, order], values[order], right[order].T


def _mean_variance(covariance: Penalty) -> Penalty:
    dim = len(covariance)
    penalty: np.ndarray = float(np.trace(covariance)) / dim * np.eye(dim)
    return penalty


def _class_sums(
    rows: Rows,
    labels: Int64[np.ndarray, "rows"],
    weights: Float64[np.ndarray, "classes"],
) -> tuple[
    Float64[np.ndarray, "dim"],
    Float64[np.ndarray, "classes dim"],
    Float64[np.ndarray, "dim dim"],
]:
    """Return an origin, and about it the sums per class and the weighed products."""
    origin = mean_of(rows)
    roots, classes = np.sqrt(weights), np.arange(len(weights))[:, None]

    def sums(part: slice) -> tuple[np.ndarray, ...]:
        x, of_class = rows[part] - origin, labels[part]
        by_class = (of_class == classes).astype(np.float64) @ x
        x *= roots[of_class][:, None]
        return by_class, x.T @ x

    by_class, products = add_up(len(rows), sums)
    return origin, by_class, products
