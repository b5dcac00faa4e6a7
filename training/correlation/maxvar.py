r"""MAXVAR: generalised CCA, one projection per modality onto a target that all share.

$\min \sum_v \lVert G - X_v W_v \rVert^2 + r_v \lVert W_v \rVert^2$ with $G^T G = I$, over
features centred on their pairs. With $A_v = X_v L_v^{-T}$ whitened and $V \Lambda V^T$
the eigenvectors of the Gram matrix of all $A_v$ side by side, $W_v = L_v^{-T} V_v
\Lambda^{1/2}$: no matrix of items by items is formed.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
from jaxtyping import Float64
from scipy.linalg import cholesky, eigh, solve_triangular

from crossmodal.modality import Modality
from crossmodal.parallel import one_blas_thread
from training.correlation.linear_cca import ONE_THREAD
from training.correlation.moments import Rows, add_up, mean_of

Covariance = Float64[np.ndarray, "_ _"]


@dataclass(frozen=True, slots=True)
class Covariances:
    """Means, and covariances of every modality with itself and with every other."""

    means: Mapping[Modality, Float64[np.ndarray, "_"]]
    blocks: Mapping[tuple[Modality, Modality], Covariance]


def covariances_of(rows: Mapping[Modality, Rows]) -> Covariances:
    """Return the covariances of modalities, row i of each belonging together."""
    means = {m: mean_of(x) for m, x in rows.items()}
    pairs = list(combinations_with_replacement(rows, 2))
    count = len(next(iter(rows.values())))

    def products(part: slice) -> tuple[np.ndarray, ...]:
        centred = {m: x[part] - means[m] for m, x in rows.items()}
        return tuple(centred[m].T @ centred[n] for m, n in pairs)

    blocks = {}
    for (m, n), total in zip(pairs, add_up(count, products), strict=True):
        blocks[m, n] = total / count
        blocks[n, m] = blocks[m, n].T
    return Covariances(means, blocks)


@dataclass(frozen=True, slots=True)
class Shared:
    """Means and projections of every modality, the best agreed component first.

    Attributes:
        means: Of each modality over the pairs.
        weights: Projections, one column per component.
        agreements: Eigenvalues: how many modalities' worth of a component is shared,
            from 0 to their number.
    """

    means: Mapping[Modality, Float64[np.ndarray, "_"]]
    weights: Mapping[Modality, Float64[np.ndarray, "_ _"]]
    agreements: Float64[np.ndarray, "components"]


def solve_maxvar(covariances: Covariances, ridge: float, components: int) -> Shared:
    """Return the projections of the components that agree most.

    Args:
        covariances: Of the features of every modality.
        ridge: Relative to each modality's mean variance.
        components: At most the sum of the widths.

    Raises:
        numpy.linalg.LinAlgError: If a covariance is singular and the ridge too small.

    Source:
        Kettenring 1971, Canonical analysis of several sets of variables.
    """
    widths = sum(len(mean) for mean in covariances.means.values())
    with one_blas_thread() if widths <= ONE_THREAD else nullcontext():
        return _solve(covariances, ridge, components)


def _solve(covariances: Covariances, ridge: float, components: int) -> Shared:
    blocks, modalities = covariances.blocks, list(covariances.means)
    roots = {m: _root(blocks[m, m], ridge) for m in modalities}
    gram = np.block(
        [
            [_whitened(roots[m], blocks[m, n], roots[n]) for n in modalities]
            for m in modalities
        ]
    )
    size = len(gram)
    values, vectors = eigh(gram, subset_by_index=[size - components, size - 1])
    values, vectors = values[::-1].clip(min=0), vectors[:, ::-1]
    weights, start = {}, 0
    for modality, root in roots.items():
        part = vectors[start : start + len(root)]
        start += len(root)
        # Rows of the target have unit variance, hence no factor of the item count.
        solved = solve_triangular(root, part, lower=True, trans="T")
        weights[modality] = solved * np.sqrt(values)
    first = next(iter(weights.values()))
    signs = np.sign(first[np.abs(first).argmax(axis=0), np.arange(components)])
    signs[signs == 0] = 1
    return Shared(covariances.means, {m: w * signs for m, w in weights.items()}, values)


def _root(covariance: Covariance, ridge: float) -> np.ndarray:
    dim = len(covariance)
    penalty = ridge * float(np.trace(covariance)) / dim * np.eye(dim)
    root: np.ndarray = cholesky(covariance + penalty, lower=True)
    return root


def _whitened(left: np.ndarray, covariance: np.ndarray, right: np.ndarray) -> np.ndarray:
    half = solve_triangular(left, covariance, lower=True)
    whitened: np.ndarray = solve_triangular(right, half.T, lower=True).T
    return whitened
