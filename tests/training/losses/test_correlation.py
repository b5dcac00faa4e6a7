import math
from collections.abc import Callable

import numpy as np
import pytest
import scipy.linalg
import torch
from torch import Tensor

from training.correlation.linear_cca import class_pair_moments, pair_moments, solve
from training.losses.correlation import (
    OBJECTIVES,
    Covariances,
    canonical_correlations,
    class_correlation_loss,
    class_covariances,
    correlation_loss,
    pair_covariances,
)

LEFT = torch.tensor([0, 0, 0, 1, 1, 2, 2, 2, 2, -1, 4])
RIGHT = torch.tensor([2, 0, 1, 1, 1, -1, 0, 2, 3, 0, 2])


def rows(count: int, dim: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    draw = torch.randn(count, dim, generator=generator, dtype=torch.float64)
    mixing = torch.randn(dim, dim, generator=generator, dtype=torch.float64)
    return draw @ mixing + 3


def listed(left: Tensor, right: Tensor, pairs: list[tuple[int, int]]) -> list[np.ndarray]:
    i, j = np.array(pairs).T
    return [left.numpy()[i], right.numpy()[j]]


def class_pairs() -> list[tuple[int, int]]:
    return [
        (i, j)
        for i in range(len(LEFT))
        for j in range(len(RIGHT))
        if LEFT[i] == RIGHT[j] and LEFT[i] >= 0
    ]


def correlations_slowly(
    left: np.ndarray, right: np.ndarray, cross: np.ndarray, ridge: float
) -> np.ndarray:
    """Solve S_xy S_yy^-1 S_yx w = rho^2 S_xx w, the textbook's eigenvalue problem."""
    left = left + ridge * np.trace(left) / len(left) * np.eye(len(left))
    right = right + ridge * np.trace(right) / len(right) * np.eye(len(right))
    squares = scipy.linalg.eigh(
        cross @ np.linalg.inv(right) @ cross.T, left, eigvals_only=True
    )
    return np.sqrt(np.clip(squares[::-1], 0, None))


def covariance(left: np.ndarray, right: np.ndarray) -> list[np.ndarray]:
    dim = left.shape[1]
    whole = np.cov(np.hstack([left, right]).T, bias=True)
    return [whole[:dim, :dim], whole[dim:, dim:], whole[:dim, dim:]]


@pytest.mark.parametrize("components", [1, 3])
@pytest.mark.parametrize("ridge", [1e-4, 0.5])
def test_correlation_loss_is_the_textbooks(components: int, ridge: float) -> None:
    left, right = rows(30, 3, 0), rows(30, 5, 1)
    right[:, 0] += 3 * left[:, 1]
    expected = correlations_slowly(*covariance(left.numpy(), right.numpy()), ridge)
    found = correlation_loss(left, right, ridge=ridge, components=components)
    assert found.item() == pytest.approx(-expected[:components].mean(), abs=1e-9)


@pytest.mark.parametrize("sigma", [0.0, 0.2, 1.0])
def test_class_correlation_loss_is_that_of_every_pair_listed(sigma: float) -> None:
    left, right = rows(11, 2, 2), rows(11, 3, 3)
    by_class = covariance(*listed(left, right, class_pairs()))
    by_pair = covariance(left.numpy(), right.numpy())
    mixed = [(1 - sigma) * c + sigma * p for c, p in zip(by_class, by_pair, strict=True)]
    found = class_correlation_loss(left, right, LEFT, RIGHT, sigma=sigma, ridge=0.01)
    expected = -correlations_slowly(*mixed, 0.01)[:2].mean()
    assert found.item() == pytest.approx(expected, abs=1e-9)


def test_true_pairs_may_be_named_by_row() -> None:
    left, right = rows(11, 2, 2), rows(11, 3, 3)
    ours, theirs = torch.tensor([0, 4, 4, 7, 9, 2]), torch.tensor([3, 0, 1, 8, 2, 5])
    named = class_correlation_loss(
        left, right, LEFT, RIGHT, pairs=(ours, theirs), sigma=1.0
    )
    assert named.item() == correlation_loss(left[ours], right[theirs]).item()


def test_tensors_and_arrays_agree_on_moments_and_correlations() -> None:
    left, right = rows(40, 4, 4), rows(40, 3, 5)
    labels = torch.arange(40) % 3
    arrays = left.numpy(), right.numpy()
    for found, expected in (
        (pair_covariances(left, right), pair_moments(*arrays)),
        (
            class_covariances(left, right, labels, labels),
            class_pair_moments(*arrays, labels.numpy(), labels.numpy()),
        ),
    ):
        for name in ("left", "right", "cross"):
            np.testing.assert_allclose(
                getattr(found, name), getattr(expected, name), atol=1e-12
            )
        np.testing.assert_allclose(
            canonical_correlations(found, 0.1),
            solve(expected, 0.1).correlations,
            atol=1e-12,
        )


def test_class_covariances_survive_outputs_far_from_zero() -> None:
    left, right = rows(11, 2, 2), rows(11, 3, 3)
    near = class_covariances(left, right, LEFT, RIGHT)
    far = class_covariances(left + 1e6, right - 1e6, LEFT, RIGHT)
    for name in ("left", "right", "cross"):
        assert torch.allclose(getattr(near, name), getattr(far, name), atol=1e-6)


Loss = Callable[[Tensor, Tensor], Tensor]


@pytest.mark.parametrize(
    "loss",
    [
        lambda a, b: correlation_loss(a, b, ridge=1e-3),
        lambda a, b: correlation_loss(a, b, ridge=1e-3, components=1),
        lambda a, b: class_correlation_loss(a, b, LEFT, RIGHT, ridge=1e-3),
        lambda a, b: class_correlation_loss(a, b, LEFT, RIGHT, sigma=0.3, ridge=1e-3),
        lambda a, b: OBJECTIVES["norm"](
            canonical_correlations(pair_covariances(a, b), 1e-3), None
        ),
    ],
)
def test_gradient_agrees_with_differences(loss: Loss) -> None:
    left, right = (rows(11, dim, dim).requires_grad_() for dim in (2, 3))
    assert torch.autograd.gradcheck(loss, (left, right))


def test_descent_makes_unrelated_outputs_correlate() -> None:
    inputs = rows(60, 4, 0).float(), rows(60, 4, 1).float()
    shared = torch.randn(60, generator=torch.Generator().manual_seed(2))
    for data in inputs:
        data[:, 3] = shared + 0.1 * data[:, 3]
    maps = [torch.eye(4, 2).requires_grad_() for _ in inputs]
    before = correlation_loss(inputs[0] @ maps[0], inputs[1] @ maps[1], components=1)
    optimizer = torch.optim.Adam(maps, lr=0.05)
    for _ in range(100):
        optimizer.zero_grad()
        loss = correlation_loss(inputs[0] @ maps[0], inputs[1] @ maps[1], components=1)
        torch.autograd.backward(loss)
        optimizer.step()
    linear = correlation_loss(*inputs, components=1).item()
    assert before.item() > -0.5
    assert loss.item() == pytest.approx(linear, abs=0.05)


def test_scale_shift_and_linear_maps_change_nothing() -> None:
    left, right = rows(40, 3, 0), rows(40, 2, 1)
    plain = correlation_loss(left, right, ridge=1e-10)
    mapped = correlation_loss(100 * left @ rows(3, 3, 2) - 7, right, ridge=1e-10)
    assert mapped.item() == pytest.approx(plain.item(), abs=1e-6)
    scaled = correlation_loss(1e3 * left, right / 1e3, ridge=0.1)
    assert scaled.item() == pytest.approx(
        correlation_loss(left, right, ridge=0.1).item(), abs=1e-9
    )


def test_identical_outputs_correlate_fully_and_norm_is_no_sum() -> None:
    left = rows(40, 4, 0)
    found = canonical_correlations(pair_covariances(left, left), 1e-9)
    assert OBJECTIVES["sum"](found, None).item() == pytest.approx(-1, abs=1e-6)
    assert OBJECTIVES["norm"](found, None).item() == pytest.approx(-2, abs=1e-6)


def test_class_pairs_correlate_in_fewer_components_than_classes() -> None:
    labels = torch.arange(60) % 4
    found = canonical_correlations(
        class_covariances(rows(60, 6, 0), rows(60, 7, 1), labels, labels), 1e-3
    )
    assert (found[:3] > 1e-6).all()
    assert (found[3:] < 1e-12).all()


def test_ridge_grows_until_the_covariance_has_a_root() -> None:
    indefinite = torch.diag(torch.tensor([1.0, 1.0, -0.005], dtype=torch.float64))
    ridge = 1e-4 * 10**2 * 1.995 / 3  # -0.005 + 0.00066 < 0 < -0.005 + 0.0066
    eye = torch.eye(3, dtype=torch.float64)
    (largest, _, _) = canonical_correlations(Covariances(indefinite, eye, eye / 2), 1e-4)
    expected = 0.5 / math.sqrt((ridge - 0.005) * (1 + 1e-4))
    assert largest.item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("value", [0.0, 5.0])
def test_constant_outputs_cost_nothing_and_give_finite_gradients(value: float) -> None:
    left = torch.full((8, 3), value, requires_grad=True)
    right = rows(8, 2, 0).float().requires_grad_()
    loss = correlation_loss(left, right)
    torch.autograd.backward(loss)
    assert loss.item() == pytest.approx(0, abs=1e-9)
    for leaf in (left, right):
        assert leaf.grad is not None
        assert leaf.grad.isfinite().all()


def test_one_row_and_fewer_rows_than_columns_are_finite() -> None:
    assert correlation_loss(rows(1, 3, 0), rows(1, 2, 0)).item() == 0
    assert -1 <= correlation_loss(rows(3, 8, 0), rows(3, 9, 1)).item() <= 0


def test_outputs_that_are_not_finite_say_so() -> None:
    left = rows(8, 3, 0).requires_grad_()
    loss = correlation_loss(left * torch.inf, rows(8, 2, 1))
    torch.autograd.backward(loss)
    assert math.isnan(loss.item())


def test_no_shared_class_is_refused() -> None:
    with pytest.raises(ValueError, match="no class is present in both modalities"):
        class_correlation_loss(
            rows(4, 2, 0),
            rows(3, 2, 1),
            torch.tensor([0, 0, 1, -1]),
            torch.tensor([2, -1, 3]),
        )


def test_half_precision_is_computed_in_double() -> None:
    left, right = rows(30, 3, 0), rows(30, 2, 1)
    low = correlation_loss(left.bfloat16(), right.bfloat16())
    assert low.dtype == torch.float64
    assert low.item() == pytest.approx(correlation_loss(left, right).item(), abs=0.02)
