from collections.abc import Iterator

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from training.export import graph_of
from training.towers import recurrent_tower
from training.towers.recurrent_tower import (
    RecurrentNetwork,
    RecurrentTower,
    StepStandardizer,
)

RNG = np.random.default_rng(4)
LENGTHS = (1, 2, 5, 6, 9, 12)


def tower(*, mask: bool = True, activation: str = "relu", norms: bool = True) -> nn.Module:
    """Return an untrained tower of 3 wide steps whose norms have seen something."""
    torch.manual_seed(0)
    network = RecurrentNetwork(
        3,
        (7, 5, 4, 6),
        steps=5,
        mask=mask,
        activation=activation,
        last="sigmoid",
        dropout=0.5,
        batch_norm=norms,
        input_norm=norms,
    )
    made = RecurrentTower(3, network, outputs=6, components=2)
    made.standardize.fit(2 + 3 * RNG.standard_normal((9, 4, 3)).astype(np.float32))
    made.train()
    for _ in range(3):
        made.outputs(torch.randn(8, 5, 3))
    return made.eval()


def sequences(more: int = 0) -> torch.Tensor:
    """Return a sequence of each of the lengths, NaN at the end, and more of it."""
    steps = np.random.default_rng(1).standard_normal((len(LENGTHS), 12, 3))
    steps[np.arange(12) >= np.array(LENGTHS)[:, None]] = np.nan
    steps = np.pad(steps, ((0, 0), (0, more), (0, 0)), constant_values=np.nan)
    return torch.from_numpy(steps.astype(np.float32))


def own_steps() -> Iterator[np.ndarray]:
    for row, length in enumerate(LENGTHS):
        yield sequences()[row, :length].double().numpy()


def sigmoid(values: np.ndarray) -> np.ndarray:
    found: np.ndarray = 1 / (1 + np.exp(-values))
    return found


def lstm_by_hand(layer: nn.LSTM, steps: np.ndarray) -> np.ndarray:
    """Go through the steps with the four gates written out."""
    weights = {name: value.double().numpy() for name, value in layer.state_dict().items()}
    size = layer.hidden_size
    hidden, cell, outputs = np.zeros(size), np.zeros(size), []
    for step in steps:
        gates = weights["weight_ih_l0"] @ step + weights["bias_ih_l0"]
        gates = gates + weights["weight_hh_l0"] @ hidden + weights["bias_hh_l0"]
        enter, forget, candidate, leave = np.split(gates, 4)
        cell = sigmoid(forget) * cell + sigmoid(enter) * np.tanh(candidate)
        hidden = sigmoid(leave) * np.tanh(cell)
        outputs.append(hidden)
    return np.array(outputs)


def norm_by_hand(norm: nn.BatchNorm1d, rows: np.ndarray) -> np.ndarray:
    state = {name: value.double().numpy() for name, value in norm.state_dict().items()}
    scale = state["weight"] / np.sqrt(state["running_var"] + norm.eps)
    found: np.ndarray = (rows - state["running_mean"]) * scale + state["bias"]
    return found


def outputs_by_hand(made: nn.Module, own: np.ndarray, *, mask: bool) -> np.ndarray:
    """Return one item's outputs from its own steps, each layer written out."""
    network = made.network
    rows = made.standardize.transform(own.astype(np.float32))
    size = network.regular.steps
    if len(rows) > size:
        place = [number * size // len(rows) for number in range(len(rows))]
        rows = np.array([rows[np.equal(place, n)].mean(axis=0) for n in range(size)])
    count = len(rows) if mask else size
    rows = np.concatenate([rows, np.zeros((count - len(rows), 3))])
    rows = norm_by_hand(network.input_norm.norm, rows)
    for layer in network.recurrent:
        rows = lstm_by_hand(layer, rows)
    rows = rows @ network.step.weight.detach().double().numpy().T
    rows = np.maximum(norm_by_hand(network.step_norm.norm, rows), 0)
    flat = np.zeros((size, rows.shape[1]))
    flat[:count] = rows
    out = network.out[0]
    weight, bias = (t.detach().double().numpy() for t in (out.weight, out.bias))
    return sigmoid(weight @ flat.ravel() + bias)


@pytest.mark.parametrize("mask", [True, False])
@torch.no_grad()
def test_outputs_are_those_found_by_hand_from_the_own_steps_alone(mask: bool) -> None:
    made = tower(mask=mask)
    expected = [outputs_by_hand(made, own, mask=mask) for own in own_steps()]
    np.testing.assert_allclose(made.outputs(sequences()), expected, atol=1e-5)


@pytest.mark.parametrize("mask", [True, False])
@torch.no_grad()
def test_padding_and_companions_change_nothing(mask: bool) -> None:
    made = tower(mask=mask)
    expected = made(sequences())
    torch.testing.assert_close(made(sequences(7)), expected, atol=1e-6, rtol=0)
    for row, own in enumerate(own_steps()):
        alone = made(torch.from_numpy(own[None].astype(np.float32)))
        torch.testing.assert_close(alone[0], expected[row], atol=1e-6, rtol=0)


@torch.no_grad()
def test_the_order_of_steps_matters() -> None:
    made = tower()
    steps = torch.from_numpy(RNG.standard_normal((4, 5, 3)).astype(np.float32))
    assert (made(steps) - made(steps.flip(1))).abs().max() > 1e-5


@pytest.mark.parametrize("activation", ["relu", "softmax"])
@torch.no_grad()
def test_one_graph_serves_every_length_and_padded_batches(activation: str) -> None:
    made = tower(activation=activation)
    graph = graph_of(made, 3, sequences=True)
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    for given in (sequences(), sequences(4), sequences()[2:3, :5], sequences()[:1, :1]):
        (found,) = session.run(["embedding"], {"features": given.numpy()})
        np.testing.assert_allclose(found, made(given), atol=1e-5)


def test_steps_are_standardised_over_all_that_are_real(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recurrent_tower, "ITEMS_AT_ONCE", 4)
    steps = sequences().numpy() * np.float32(3) + np.float32(100)
    steps[:, :, 2] = np.where(np.isnan(steps[:, :, 2]), np.nan, 7)
    everything = np.concatenate(
        [steps[row, :length] for row, length in enumerate(LENGTHS)]
    ).astype(np.float64)
    standardize = StepStandardizer(3)
    standardize.fit(steps)
    np.testing.assert_allclose(standardize.mean, everything.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(standardize.scale[:2], everything[:, :2].std(axis=0))
    assert standardize.scale[2] == 1  # it never varies
    standardize.fit(steps, divide=False)
    assert (standardize.scale == 1).all()


def test_what_runs_on_a_device_is_made_there() -> None:
    made = tower().to("meta")
    assert made(torch.zeros(2, 7, 3, device="meta")).device.type == "meta"
