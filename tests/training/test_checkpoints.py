"""An interrupted training ends bit for bit as one that was not."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from training.fitting.checkpoints import Checkpoints
from training.fitting.loop import train_epochs
from training.fitting.optimization import OPTIMIZERS, Optimization
from training.fitting.states import GeneratorState

CPU = torch.device("cpu")


class StoppedError(Exception):
    """What an interruption is here."""


def store(folder: Path, fingerprint: str = "one") -> Checkpoints:
    return Checkpoints(folder, fingerprint=fingerprint, interval_s=0.0)


def train(
    checkpoints: Checkpoints | None, optimizer: str = "adamw", stop: int | None = None
) -> tuple[dict[str, Tensor], list[int]]:
    """Train with dropout, a shuffling sampler and noise drawn by the loss."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 1))
    rng, noise = np.random.default_rng(0), np.random.default_rng(1)
    x = torch.from_numpy(np.random.default_rng(2).standard_normal((12, 3))).float()
    seen: list[int] = []

    def batches(epoch: int) -> list[Tensor]:
        return [x[rows] for rows in np.split(rng.permutation(12), 3)]

    def loss(batch: Tensor) -> Mapping[str, Tensor]:
        target = batch.sum(dim=1) + float(noise.standard_normal())
        return {"loss": (model(batch)[:, 0] - target).square().mean()}

    def after(epoch: int, terms: Mapping[str, float]) -> None:
        seen.append(epoch)
        if epoch == stop:
            raise StoppedError

    train_epochs(
        model,
        batches,
        loss,
        Optimization(epochs=6, rate=0.01, optimizer=optimizer, warmup=0.2),
        steps_per_epoch=3,
        device=CPU,
        after_epoch=after,
        checkpoints=checkpoints,
        beside=[GeneratorState(noise)],
    )
    return {name: t.clone() for name, t in model.state_dict().items()}, seen


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_resumed_training_ends_bit_equal(tmp_path: Path, optimizer: str) -> None:
    whole, _ = train(None, optimizer)
    with pytest.raises(StoppedError):
        train(store(tmp_path / "c"), optimizer, stop=4)
    resumed, seen = train(store(tmp_path / "c"), optimizer)
    assert seen == [4, 5, 6]  # the fourth was stopped before it was saved
    for name, tensor in whole.items():
        assert torch.equal(tensor, resumed[name]), name


def test_checkpoints_of_another_fit_are_thrown_away(tmp_path: Path) -> None:
    train(store(tmp_path / "c"))
    _, seen = train(store(tmp_path / "c", "another"))
    assert seen == [1, 2, 3, 4, 5, 6]


def test_a_damaged_checkpoint_costs_only_time(tmp_path: Path) -> None:
    whole, _ = train(store(tmp_path / "c"))
    (saved,) = (tmp_path / "c").glob("*.safetensors")
    saved.write_bytes(saved.read_bytes()[:100])
    resumed, seen = train(store(tmp_path / "c"))
    assert seen == [1, 2, 3, 4, 5, 6]
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_a_short_training_writes_nothing(tmp_path: Path) -> None:
    train(Checkpoints(tmp_path / "c", fingerprint="one", interval_s=60.0))
    assert not (tmp_path / "c").exists()


def test_time_before_an_interruption_is_counted(tmp_path: Path) -> None:
    train(store(tmp_path / "c"))
    again = store(tmp_path / "c")
    train(again)
    assert again.earlier_s > 0
    assert again.spent_s > again.earlier_s
