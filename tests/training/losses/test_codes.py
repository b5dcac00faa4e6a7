import math

import pytest
import torch

from training.losses.codes import class_code_regression, quantization, uneven_magnitudes


def drawn(rows: int, columns: int, seed: int) -> torch.Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed)).tanh()


def test_quantization_equals_the_loop() -> None:
    codes = drawn(5, 4, 0)
    total = sum((h - (1 if h >= 0 else -1)) ** 2 for row in codes.tolist() for h in row)
    assert quantization(codes).item() == pytest.approx(total / 5, rel=1e-5)
    assert quantization(torch.tensor([[1.0, -1.0]])).item() == 0


def test_uneven_magnitudes_equal_the_loop_and_prefer_even_ones() -> None:
    codes = drawn(6, 5, 1)
    total = 0.0
    for row in codes.tolist():
        norm = math.sqrt(sum(h * h for h in row)) * math.sqrt(5)
        total += 1 / (1 + math.exp(sum(abs(h) for h in row) / norm))
    assert uneven_magnitudes(codes).item() == pytest.approx(total / 6, rel=1e-5)
    even = uneven_magnitudes(torch.tensor([[0.3, -0.3, 0.3]])).item()
    assert even == pytest.approx(1 / (1 + math.e), rel=1e-5)
    assert even < uneven_magnitudes(torch.tensor([[0.9, -0.1, 0.1]])).item()


def test_class_code_regression_equals_the_loop_and_skips_unknown_classes() -> None:
    codes, labels = drawn(4, 3, 2), torch.tensor([1, 0, -1, 1])
    classes = torch.tensor([[1.0, -1.0, 1.0], [-1.0, -1.0, 1.0]])
    total = 0.0
    for i in (0, 1, 3):
        for c in range(2):
            wanted = 3 if c == labels[i] else -3
            total += (float(codes[i] @ classes[c]) - wanted) ** 2
    found = class_code_regression(codes, classes, labels)
    assert found.item() == pytest.approx(total / 3, rel=1e-5)


def test_gradients_agree_with_differences() -> None:
    codes = drawn(3, 4, 3).double().requires_grad_()
    classes = torch.ones(2, 4, dtype=torch.float64)
    classes[1, :2] = -1
    labels = torch.tensor([0, 1, -1])
    assert torch.autograd.gradcheck(uneven_magnitudes, [codes])
    assert torch.autograd.gradcheck(quantization, [codes])
    assert torch.autograd.gradcheck(
        lambda rows: class_code_regression(rows, classes, labels), [codes]
    )
