import math

import pytest
import torch

from training.losses.modality_game import game_weight, modality_loss, reverse_gradient


def drawn(rows: int, columns: int, seed: int) -> torch.Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))


def test_reversal_changes_the_gradient_and_nothing_else() -> None:
    rows, weights = drawn(4, 3, 0).requires_grad_(), drawn(4, 3, 1)
    passed = reverse_gradient(rows, 0.25)
    assert torch.equal(passed, rows)
    (passed * weights).sum().backward()
    assert rows.grad is not None
    assert torch.allclose(rows.grad, -0.25 * weights)


def test_modality_loss_equals_the_log_likelihood_of_the_paper() -> None:
    answers = [drawn(5, 2, 0), drawn(7, 2, 1)]
    total = 0.0
    for number, answer in enumerate(answers):
        for row in answer.tolist():
            right = math.exp(row[number]) / sum(math.exp(value) for value in row)
            total -= math.log(right) / len(answer)
    assert modality_loss(answers).item() == pytest.approx(total, abs=1e-5)


def test_a_critic_that_knows_nothing_loses_log_two_per_modality() -> None:
    ignorant = torch.zeros(6, 2)
    loss = modality_loss([ignorant, ignorant])
    assert loss.item() == pytest.approx(2 * math.log(2), abs=1e-6)


def test_game_starts_at_zero_and_nears_one() -> None:
    assert game_weight(0.0) == 0
    assert game_weight(0.1) == pytest.approx(2 / (1 + math.exp(-1)) - 1)
    assert 0.999 < game_weight(1.0) < 1


def test_gradient_of_modality_loss_is_answer_minus_truth() -> None:
    logits = drawn(4, 3, 2).requires_grad_()
    modality_loss([drawn(2, 3, 3), logits, drawn(2, 3, 4)]).backward()
    expected = logits.detach().softmax(1)
    expected[:, 1] -= 1
    assert logits.grad is not None
    assert torch.allclose(logits.grad, expected / 4, atol=1e-6)
