"""Correlation loss: how much two towers' outputs correlate, over pairs or class pairs.

Conventions: covariances in float64; the ridge is relative, ``ridge * trace / dim``, as in
``training.correlation.linear_cca``, so a loss does not change with the scale of the
outputs; class pairs are weighed alike, hence a class by the product of its two sizes; a
blend weighs marginals and cross covariance alike, which keeps every correlation at 1 or
below. The loss uses singular values alone: their gradient lacks the 1 / (difference of
two values) terms of singular vectors and eigenvectors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Float64, Int64
from torch import Tensor

Left = Float[Tensor, "items left"]
Right = Float[Tensor, "others right"]

RETRIES = 8  # a ridge of 1e-4 then reaches 1e4, where every covariance has a root
SMALLEST_VARIANCE = 1e-12  # keeps the ridge positive where outputs do not vary at all


@dataclass(frozen=True, slots=True)
class Covariances:
    """Covariances of two modalities' outputs over one set of pairs, in float64."""

    left: Float64[Tensor, "left left"]
    right: Float64[Tensor, "right right"]
    cross: Float64[Tensor, "left right"]

    def blend(self, other: Covariances, share: float) -> Covariances:
        """Return ``share`` of the other's covariances and the rest of these."""
        return Covariances(
            (1 - share) * self.left + share * other.left,
            (1 - share) * self.right + share * other.right,
            (1 - share) * self.cross + share * other.cross,
        )

    def with_marginals(self, other: Covariances) -> Covariances:
        """Return this cross covariance between the other's marginals."""
        return Covariances(other.left, other.right, self.cross)


def pair_covariances(
    left: Float[Tensor, "pairs left"], right: Float[Tensor, "pairs right"]
) -> Covariances:
    """Return the covariances over true pairs, row i with row i."""
    left, right = left.double(), right.double()
    left, right = left - left.mean(dim=0), right - right.mean(dim=0)
    count = len(left)
    return Covariances(
        left.T @ left / count, right.T @ right / count, left.T @ right / count
    )


def class_covariances(
    left: Left,
    right: Right,
    left_labels: Int64[Tensor, "items"],
    right_labels: Int64[Tensor, "others"],
) -> Covariances:
    """Return the covariances over every pair of equal label, from sums per class.

    The pairs are never listed: the cost is linear in the number of rows. Modalities may
    differ in their number of rows, and rows with a negative label belong to no pair.

    Raises:
        ValueError: If no class is present in both.

    Source:
        Rasiwasia et al. 2014, Cluster Canonical Correlation Analysis.
    """
    left, left_labels = left[left_labels >= 0].double(), left_labels[left_labels >= 0]
    right, right_labels = right[right_labels >= 0].double(), right_labels[right_labels >= 0]
    if not torch.isin(left_labels, right_labels).any():
        raise ValueError("no class is present in both modalities")
    classes = int(torch.maximum(left_labels.max(), right_labels.max())) + 1
    # Sums of squares of what is far from zero cancel.
    left, right = left - left.mean(dim=0).detach(), right - right.mean(dim=0).detach()
    left_members = F.one_hot(left_labels, classes).double()
    right_members = F.one_hot(right_labels, classes).double()
    left_sizes, right_sizes = left_members.sum(dim=0), right_members.sum(dim=0)
    pairs = left_sizes @ right_sizes
    left_weight = right_sizes[left_labels] / pairs
    right_weight = left_sizes[right_labels] / pairs
    left_mean, right_mean = left_weight @ left, right_weight @ right
    left_sums, right_sums = left_members.T @ left, right_members.T @ right
    return Covariances(
        (left * left_weight[:, None]).T @ left - torch.outer(left_mean, left_mean),
        (right * right_weight[:, None]).T @ right - torch.outer(right_mean, right_mean),
        left_sums.T @ right_sums / pairs - torch.outer(left_mean, right_mean),
    )


def canonical_correlations(
    covariances: Covariances, ridge: float
) -> Float64[Tensor, "components"]:
    """Return all canonical correlations, largest first, differentiable.

    Where a covariance has no Cholesky factor, the ridge grows tenfold until it has one.
    Outputs that are not finite give correlations that are not either.

    Source:
        Andrew et al. 2013, Deep canonical correlation analysis.
    """
    both = covariances.left.sum() + covariances.right.sum()
    if not both.isfinite():  # neither factors nor singular values are defined
        return both * torch.full((min(covariances.cross.shape),), torch.nan).to(both)
    left_root = _root(covariances.left, ridge)
    right_root = _root(covariances.right, ridge)
    half = torch.linalg.solve_triangular(left_root, covariances.cross, upper=False)
    whitened = torch.linalg.solve_triangular(right_root, half.T, upper=False)
    correlations: Tensor = torch.linalg.svdvals(whitened)
    return correlations


def negative_mean(
    correlations: Float64[Tensor, "values"], components: int | None = None
) -> Float64[Tensor, ""]:
    """Return minus the mean of the largest correlations.

    Args:
        correlations: Largest first.
        components: How many count; all if None or if there are fewer.
    """
    return -correlations[:components].mean()


def negative_norm(
    correlations: Float64[Tensor, "values"], components: int | None = None
) -> Float64[Tensor, ""]:
    """Return minus the root of the summed squares of all correlations.

    This is what the public code of the field returns where it is told to use all singular
    values; it is no sum of correlations. ``components`` changes nothing.
    """
    return -correlations.square().sum().sqrt()


OBJECTIVES: dict[str, Callable[[Tensor, int | None], Tensor]] = {
    "sum": negative_mean,
    "norm": negative_norm,
}


def correlation_loss(
    left: Float[Tensor, "pairs left"],
    right: Float[Tensor, "pairs right"],
    *,
    ridge: float = 1e-4,
    components: int | None = None,
) -> Float64[Tensor, ""]:
    r"""Minus the mean canonical correlation of paired outputs: $-\frac1K\sum_j \rho_j$.

    Args:
        left: Outputs of one modality, row i the partner of row i; not normalised. There
            should be ten rows or more per column.
        right: Outputs of the other.
        ridge: Relative to the mean variance; grows tenfold where it does not suffice.
        components: K, how many correlations count, largest first; all if None.

    Source:
        Andrew et al. 2013, Deep canonical correlation analysis.
    """
    found = canonical_correlations(pair_covariances(left, right), ridge)
    return negative_mean(found, components)


def class_correlation_loss(
    left: Left,
    right: Right,
    left_labels: Int64[Tensor, "items"],
    right_labels: Int64[Tensor, "others"],
    *,
    pairs: tuple[Int64[Tensor, "pairs"], Int64[Tensor, "pairs"]] | None = None,
    sigma: float = 0.0,
    ridge: float = 1e-4,
    components: int | None = None,
) -> Float64[Tensor, ""]:
    r"""Minus the mean canonical correlation over class pairs, blended with true pairs.

    $S = \sigma P + (1 - \sigma) C$ for marginals and cross covariance alike, P over true
    pairs and C over all pairs of equal label. C's cross covariance has a rank below the
    number of classes, so with sigma 0 no more than classes - 1 components can correlate.

    Args:
        left: Outputs of one modality.
        right: Outputs of the other; their number may differ.
        left_labels: Class of each row; a negative one excludes it from class pairs.
        right_labels: Likewise.
        pairs: Rows of the true pairs' left and right members; without them row i is the
            partner of row i. Not looked at if sigma is 0.
        sigma: Share of the true pairs, from 0 to 1.
        ridge: Relative to the mean variance; grows tenfold where it does not suffice.
        components: How many correlations count, largest first; all if None.

    Raises:
        ValueError: If sigma is below 1 and no class is present in both.

    Source:
        Yu et al. 2018, Category-based deep CCA for fine-grained venue discovery.
    """
    if sigma > 0:
        ours, theirs = (left, right) if pairs is None else (left[pairs[0]], right[pairs[1]])
        by_pair = pair_covariances(ours, theirs)
        if sigma == 1:
            return negative_mean(canonical_correlations(by_pair, ridge), components)
    covariances = class_covariances(left, right, left_labels, right_labels)
    if sigma > 0:
        covariances = covariances.blend(by_pair, sigma)
    return negative_mean(canonical_correlations(covariances, ridge), components)


def _root(covariance: Float64[Tensor, "dim dim"], ridge: float) -> Tensor:
    """Return the lower Cholesky factor under the smallest ridge that allows one."""
    dim = len(covariance)
    eye = torch.eye(dim, dtype=covariance.dtype, device=covariance.device)
    variance = (covariance.trace() / dim).clamp(min=SMALLEST_VARIANCE)
    root: Tensor
    for attempt in range(RETRIES + 1):
        ridged = covariance + ridge * 10**attempt * variance * eye
        root, failed = torch.linalg.cholesky_ex(ridged)
        if not failed:
            break
    return root
