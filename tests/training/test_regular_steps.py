import numpy as np
import pytest
import torch

from training.towers.regular_steps import RegularSteps, StepNorm

RNG = np.random.default_rng(3)


def by_hand(own: np.ndarray, steps: int) -> tuple[np.ndarray, list[bool]]:
    """Return regular steps of one sequence, going through its own steps one by one."""
    if len(own) <= steps:
        missing = steps - len(own)
        padded = [*own, *[np.zeros(own.shape[1])] * missing]
        return np.array(padded), [True] * len(own) + [False] * missing
    stretches: list[list[np.ndarray]] = [[] for _ in range(steps)]
    for number, step in enumerate(own):
        stretches[number * steps // len(own)].append(step)
    return np.array([np.mean(stretch, axis=0) for stretch in stretches]), [True] * steps


def padded(sequences: list[np.ndarray], more: int = 0) -> torch.Tensor:
    longest = max(map(len, sequences)) + more
    found = np.full((len(sequences), longest, sequences[0].shape[1]), np.nan, np.float32)
    for row, own in enumerate(sequences):
        found[row, : len(own)] = own
    return torch.from_numpy(found)


@pytest.mark.parametrize("steps", [1, 4, 7])
def test_steps_are_those_found_by_hand_whatever_the_padding(steps: int) -> None:
    sequences = [RNG.standard_normal((n, 3)) for n in (1, 2, 4, 5, 7, 8, 13, 40)]
    for more in (0, 1, 30):
        regular, real = RegularSteps(steps)(padded(sequences, more))
        for row, own in enumerate(sequences):
            expected, own_real = by_hand(own, steps)
            np.testing.assert_allclose(regular[row], expected, atol=1e-6)
            assert real[row].tolist() == own_real


def test_a_sequence_that_is_short_enough_keeps_its_very_steps() -> None:
    own = RNG.standard_normal((5, 3)).astype(np.float32)
    regular, _ = RegularSteps(8)(padded([own], 9))
    np.testing.assert_array_equal(regular[0, :5], own)
    np.testing.assert_array_equal(regular[0, 5:], 0)


@pytest.mark.parametrize("length", [3, 97, 1000, 9999])
def test_stretches_differ_by_one_step_at_most(length: int) -> None:
    ones = np.ones((length, 1))
    ones[:, 0] = np.arange(length)
    regular, real = RegularSteps(10)(padded([ones]))
    expected, own = by_hand(ones, 10)
    np.testing.assert_allclose(regular[0], expected, rtol=1e-5)
    assert real[0].tolist() == own


def test_step_norm_is_batch_norm_of_the_real_steps() -> None:
    torch.manual_seed(0)
    norm, plain = StepNorm(3), torch.nn.BatchNorm1d(3)
    steps = torch.from_numpy(RNG.standard_normal((6, 4, 3)).astype(np.float32))
    real = torch.arange(4) < torch.tensor([[4], [1], [3], [2], [4], [1]])
    spoiled = torch.where(real.unsqueeze(2), steps, 1e6)
    found, expected = norm(spoiled, real), plain(steps[real])
    assert torch.equal(found[real], expected)
    assert torch.equal(norm.norm.running_mean, plain.running_mean)
    norm.eval()
    plain.eval()
    torch.testing.assert_close(norm(steps, real)[real], plain(steps[real]))
