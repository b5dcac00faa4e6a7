import math

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from training.losses.variational import divergence, reconstruction, sample


def drawn(rows: int, columns: int, seed: int) -> Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))


def test_divergence_is_the_relative_entropy_to_a_standard_normal() -> None:
    mean, log_variance = drawn(5, 3, 0), drawn(5, 3, 1)
    each = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0))
    total = each.sum().item()
    assert divergence(mean, log_variance).item() == pytest.approx(total / 5, rel=1e-5)
    summed = divergence(mean, log_variance, summed=True)
    assert summed.item() == pytest.approx(total, rel=1e-5)


def test_divergence_of_the_prior_is_nothing() -> None:
    assert divergence(torch.zeros(3, 2), torch.zeros(3, 2)).item() == 0


def test_reconstruction_equals_the_loop() -> None:
    x, rebuilt = drawn(4, 6, 0), drawn(4, 6, 1)
    squares = [(x[i, j] - rebuilt[i, j]).item() ** 2 for i in range(4) for j in range(6)]
    assert reconstruction(x, rebuilt).item() == pytest.approx(sum(squares) / 4, rel=1e-5)
    averaged = reconstruction(x, rebuilt, averaged=True).item()
    assert averaged == pytest.approx(sum(squares) / 24, rel=1e-5)


def test_gradients_agree_with_differences() -> None:
    leaves = [drawn(3, 2, seed).double().requires_grad_() for seed in range(2)]
    assert torch.autograd.gradcheck(lambda a, b: divergence(a, b), leaves)
    assert torch.autograd.gradcheck(lambda a, b: reconstruction(a, b), leaves)


def test_samples_have_the_moments_of_the_posterior_and_pass_gradient_to_both() -> None:
    torch.manual_seed(0)
    mean = torch.full((20_000, 1), 3.0, requires_grad=True)
    log_variance = torch.full((20_000, 1), math.log(4.0), requires_grad=True)
    found = sample(mean, log_variance)
    assert found.mean().item() == pytest.approx(3, abs=0.05)
    assert found.std().item() == pytest.approx(2, abs=0.05)
    found.sum().backward()
    for leaf in (mean, log_variance):
        assert leaf.grad is not None
        assert leaf.grad.abs().sum() > 0
