import pytest
import torch
from torch import Tensor, nn

from crossmodal.errors import DataError
from training.fitting.loop import train_epochs
from training.fitting.optimization import Optimization

CPU = torch.device("cpu")


class Line(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.zeros(1, 1))
        self.offset = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.slope + self.offset


def test_a_line_is_learned_and_every_epoch_is_told() -> None:
    x = torch.linspace(-1, 1, 32)[:, None]
    line, told = Line(), []
    train_epochs(
        line,
        lambda epoch: x.split(8),
        lambda batch: {"loss": (line(batch) - (2 * batch - 1)).square().mean()},
        Optimization(epochs=80, rate=0.1, weight_decay=0.0, warmup=0.1),
        steps_per_epoch=4,
        device=CPU,
        after_epoch=lambda epoch, terms: told.append((epoch, terms["loss"])),
    )
    assert line.slope.item() == pytest.approx(2, abs=0.02)
    assert line.offset.item() == pytest.approx(-1, abs=0.02)
    assert [epoch for epoch, _ in told] == list(range(1, 81))
    assert told[-1][1] < 1e-3 < told[0][1]


def test_weight_decay_pulls_matrices_and_leaves_vectors() -> None:
    line = Line()
    with torch.no_grad():
        line.slope.fill_(1)
        line.offset.fill_(1)
    train_epochs(
        line,
        lambda epoch: [torch.zeros(2, 1)],
        lambda batch: {"loss": 0.0 * line(batch).sum() + 0.0 * line.slope.sum()},
        Optimization(epochs=5, rate=0.1, weight_decay=1.0),
        steps_per_epoch=1,
        device=CPU,
    )
    assert line.slope.item() < 0.9
    assert line.offset.item() == 1


def test_divergence_is_an_error_that_says_when() -> None:
    line = Line()
    with pytest.raises(DataError, match="diverged in epoch 1: the loss is nan"):
        train_epochs(
            line,
            lambda epoch: [torch.ones(2, 1)],
            lambda batch: {"loss": line(batch).sum() * torch.nan},
            Optimization(epochs=2, rate=0.1, weight_decay=0.0),
            steps_per_epoch=1,
            device=CPU,
        )
