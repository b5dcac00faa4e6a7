import torch

from training.towers.code_tower import CodeTower, sign_codes
from training.towers.networks import mlp


def test_inner_product_of_codes_counts_equal_bits() -> None:
    one = torch.tensor([[0.3, -2.0, 0.0, 1.0]])
    other = torch.tensor([[0.1, 2.0, -0.1, 1.0]])
    product = (sign_codes(one) @ sign_codes(other).T).item()
    assert product == 1 - 2 * 2 / 4  # a zero counts as +, so two bits of four differ


def test_tower_gives_signs_of_its_outputs_at_unit_norm() -> None:
    torch.manual_seed(0)
    tower = CodeTower(5, mlp([5, 9])).eval()
    features = torch.randn(7, 5)
    codes, outputs = tower(features), tower.outputs(features)
    assert torch.equal(codes > 0, outputs >= 0)
    assert torch.allclose(codes.abs(), torch.full((7, 9), 1 / 3))
    assert outputs.abs().max() <= 1
