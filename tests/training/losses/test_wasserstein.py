import pytest
import torch
from torch import Tensor, nn

from training.losses.wasserstein import critic_loss


def drawn(rows: int, columns: int, seed: int) -> Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))


def test_of_a_linear_critic_the_penalty_is_known() -> None:
    """Its gradient is its weight everywhere, so the penalty is (|w| - 1)^2."""
    weight = torch.tensor([[3.0], [4.0]])
    real, fake = drawn(6, 2, 0), drawn(4, 2, 1)
    expected = (fake @ weight).mean() - (real @ weight).mean() + 10 * (5 - 1) ** 2
    found = critic_loss(lambda rows: rows @ weight, real, fake)
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)


def test_penalty_is_taken_between_real_and_fake() -> None:
    """The gradient of |x|^2 / 2 is x; between 0 and 2 per coordinate it tells the point."""
    real, fake = torch.full((1, 1), 2.0), torch.zeros(1, 1)
    draw = torch.Generator().manual_seed(3)
    share = torch.rand((1, 1), generator=torch.Generator().manual_seed(3)).item()

    def critic(rows: Tensor) -> Tensor:
        return rows.square().sum(dim=1) / 2

    found = critic_loss(critic, real, fake, generator=draw).item()
    assert found == pytest.approx(0 - 2 + 10 * (2 * share - 1) ** 2, rel=1e-4)


def test_critic_receives_gradient_through_the_penalty_and_rows_none() -> None:
    torch.manual_seed(0)
    critic = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 1))
    real = drawn(4, 3, 0).requires_grad_()
    critic_loss(critic, real, drawn(4, 3, 1)).backward()
    assert real.grad is None
    for name, parameter in critic.named_parameters():
        assert parameter.grad is not None, name
        if name != "2.bias":  # a constant shift of all scores changes nothing
            assert parameter.grad.abs().sum() > 0, name
