import math

import pytest
import torch
from torch import nn

from crossmodal.errors import ConfigError
from training.fitting.optimization import (
    OPTIMIZERS,
    Moment,
    Optimization,
    cosine,
    make_optimizer,
    warmup_step,
)


def test_cosine_rises_in_a_line_and_falls() -> None:
    rates = [cosine(Moment(step, 10, 1, 0.4)) for step in range(10)]
    assert rates[:4] == [0.25, 0.5, 0.75, 1.0]
    assert rates[4:] == [0.5 * (1 + math.cos(math.pi * n / 6)) for n in range(6)]


def test_cosine_without_warm_up_starts_at_its_highest() -> None:
    assert cosine(Moment(0, 10, 1)) == 1
    assert cosine(Moment(10, 10, 1)) == pytest.approx(0)


def test_warm_up_over_all_steps_never_divides_by_zero() -> None:
    assert cosine(Moment(4, 4, 1, 1.0)) == 1


def test_warmup_step_passes_through_the_printed_points() -> None:
    rate = {epoch: 3.5e-4 * warmup_step(Moment(0, 1, epoch + 1)) for epoch in range(80)}
    assert rate[0] == pytest.approx(3.5e-5)
    assert [rate[n] for n in (9, 10, 39)] == pytest.approx([3.5e-4] * 3)
    assert [rate[n] for n in (40, 69)] == pytest.approx([3.5e-5] * 2)
    assert [rate[n] for n in (70, 79)] == pytest.approx([3.5e-6] * 2)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_goes_downhill(name: str) -> None:
    weight = nn.Parameter(torch.ones(2, 2))
    optimizer = make_optimizer([weight], name, rate=0.01)
    for _ in range(20):
        optimizer.zero_grad()
        weight.square().sum().backward()
        optimizer.step()
    assert weight.square().sum() < 3.9


def test_unknown_choices_are_refused() -> None:
    with pytest.raises(ConfigError, match="optimizer must be one of adamw"):
        Optimization(epochs=1, rate=0.1, optimizer="lion")
    with pytest.raises(ConfigError, match="schedule must be one of constant"):
        Optimization(epochs=1, rate=0.1, schedule="steps")
