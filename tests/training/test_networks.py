import pytest
import torch
from torch import nn

from crossmodal.errors import ConfigError
from training.towers.networks import NetworkTower, mlp


def test_layers_are_those_asked_for() -> None:
    network = mlp(
        [3, 5, 2], activation="tanh", last="sigmoid", dropout=0.1, batch_norm=True
    )
    assert [type(layer) for layer in network] == [
        nn.Linear,
        nn.BatchNorm1d,
        nn.Tanh,
        nn.Dropout,
        nn.Linear,
        nn.Sigmoid,
    ]
    assert [type(layer) for layer in mlp([3, 2])] == [nn.Linear]


def test_network_computes_by_hand() -> None:
    network = mlp([2, 2, 1], activation="relu")
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([[1.0, 0.0], [0.0, -1.0]]))
        network[0].bias.zero_()
        network[2].weight.copy_(torch.tensor([[2.0, 3.0]]))
        network[2].bias.fill_(1.0)
    assert network(torch.tensor([[4.0, 5.0], [-4.0, -5.0]])).tolist() == [[9.0], [16.0]]


def test_unknown_activation_is_refused() -> None:
    with pytest.raises(ConfigError, match="activation must be one of"):
        mlp([2, 2], activation="swish")


def test_tower_has_unit_norm_and_is_blind_to_its_companions() -> None:
    torch.manual_seed(0)
    tower = NetworkTower(4, mlp([4, 8, 3], batch_norm=True)).eval()
    rows = torch.randn(6, 4)
    together = tower(rows)
    assert torch.allclose(together.norm(dim=1), torch.ones(6), atol=1e-6)
    assert torch.allclose(
        together, torch.cat([tower(row[None]) for row in rows]), atol=1e-6
    )
    assert torch.allclose(together, nn.functional.normalize(tower.outputs(rows)), atol=1e-6)
