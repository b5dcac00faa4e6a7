import numpy as np
import pytest
import torch

from training.towers.tower import (
    MlpTower,
    ProjectionTower,
    StandardizedRows,
    Standardizer,
    in_parts,
    squared_lift,
    unit_norm,
)


def test_rows_are_scaled_to_unit_norm() -> None:
    found = unit_norm(torch.tensor([[3.0, 4.0], [-1e-6, 0.0]]))
    assert torch.allclose(found, torch.tensor([[0.6, 0.8], [-1.0, 0.0]]))


@pytest.mark.parametrize(
    ("shape", "rows", "sizes"),
    [
        ((5, 2), 2, [2, 2, 1]),
        ((5, 3, 2), 6, [2, 2, 1]),
        ((2, 9, 2), 4, [1, 1]),
        ((3, 2), 8, [3]),
    ],
)
def test_parts_hold_so_many_rows_or_steps(
    shape: tuple[int, ...], rows: int, sizes: list[int]
) -> None:
    features = torch.arange(float(np.prod(shape))).reshape(shape)
    parts = in_parts(features, rows)
    assert [len(part) for part in parts] == sizes
    assert torch.equal(torch.cat(parts), features)


def test_standardizer_gives_its_own_data_mean_zero_and_deviation_one() -> None:
    rows = np.random.default_rng(0).normal(1000, 3, (200, 4)).astype(np.float32)
    standardize = Standardizer(4)
    standardize.fit(rows)
    found = standardize(torch.from_numpy(rows)).numpy()
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(found.std(axis=0), 1, atol=1e-4)
    np.testing.assert_allclose(standardize.transform(rows), found, atol=1e-4)


def test_standardizer_takes_the_deviation_of_many_rows_far_from_zero() -> None:
    rows = np.random.default_rng(0).normal(3e4, 2, (5000, 3)).astype(np.float32)
    standardize = Standardizer(3)
    standardize.fit(rows)
    wide = rows.astype(np.float64)
    np.testing.assert_allclose(standardize.mean.numpy(), wide.mean(axis=0), rtol=1e-7)
    np.testing.assert_allclose(standardize.scale.numpy(), wide.std(axis=0), rtol=1e-7)


def test_standardized_rows_are_the_transform_of_those_asked_for() -> None:
    features = np.random.default_rng(0).normal(9, 3, (20, 4)).astype(np.float32)
    standardize = Standardizer(4)
    standardize.fit(features)
    rows = StandardizedRows(features, standardize)
    assert (len(rows), *rows.shape) == (20, 20, 4)
    whole = standardize.transform(features)
    np.testing.assert_array_equal(rows[:], whole)
    np.testing.assert_array_equal(rows[np.array([7, 3])], whole[[7, 3]])


@pytest.mark.parametrize("value", [0.0, 0.1, 1e6, -3e7])
def test_constant_feature_is_centred_and_not_blown_up(value: float) -> None:
    rows = np.full((101, 1), value, dtype=np.float32)
    standardize = Standardizer(1)
    standardize.fit(rows)
    assert standardize.scale.item() == 1
    assert standardize(torch.from_numpy(rows)).abs().max().item() == 0


def test_standardizer_centres_alone_when_asked() -> None:
    rows = np.array([[0.0], [10.0]], dtype=np.float32)
    standardize = Standardizer(1)
    standardize.fit(rows, divide=False)
    assert standardize(torch.from_numpy(rows)).flatten().tolist() == [-5.0, 5.0]


def test_projection_is_the_formula() -> None:
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((5, 3)).astype(np.float32)
    tower = ProjectionTower(3, 2)
    tower.standardize.fit(rows)
    offset, weight = rng.standard_normal(3), rng.standard_normal((3, 2))
    tower.set_projection(offset, weight)
    z = ((rows - rows.mean(axis=0)) / rows.std(axis=0) - offset) @ weight
    expected = z / np.linalg.norm(z, axis=1, keepdims=True)
    np.testing.assert_allclose(tower(torch.from_numpy(rows)).numpy(), expected, atol=1e-5)


def test_noise_and_dropout_act_in_training_alone() -> None:
    torch.manual_seed(0)
    tower = MlpTower(4, 3, hidden=8, layers=1, dropout=0.5, input_dropout=0.2, noise=1.0)
    rows = torch.randn(6, 4)
    assert not torch.equal(tower(rows), tower(rows))
    tower.eval()
    assert torch.equal(tower(rows), tower(rows))


@pytest.mark.parametrize("layers", [0, 1, 3])
def test_every_parameter_of_a_network_receives_gradient(layers: int) -> None:
    torch.manual_seed(0)
    tower = MlpTower(4, 3, hidden=8, layers=layers, dropout=0.0)
    (tower(torch.randn(16, 4)) * torch.randn(16, 3)).sum().backward()
    for name, parameter in tower.named_parameters():
        assert parameter.grad is not None, name
        # batch norm cancels the bias before it
        if not (name.startswith("hidden") and name.endswith("bias")):
            assert parameter.grad.abs().sum() > 0, name


def test_squared_lift_is_exact_where_one_class_is_certain() -> None:
    rng = np.random.default_rng(0)
    for scale in (1.0, 10.0, 40.0):
        logits = torch.from_numpy(scale * rng.standard_normal((20, 5)))
        exact = torch.softmax(logits, dim=1)
        expected = sum(
            exact[:, [i]] * exact[:, [j]] for i in range(5) for j in range(5) if i != j
        )
        found = squared_lift(torch.softmax(logits.float(), dim=1))
        torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-30)


def test_squared_lift_of_a_tie_counts_both() -> None:
    assert squared_lift(torch.tensor([[0.5, 0.5, 0.0]])).item() == pytest.approx(0.5)
