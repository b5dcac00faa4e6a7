import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from training.towers.proxies import NeighborProxies, nearest


def unit(count: int, dim: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(count, dim, generator=generator), dim=1)


def test_nearest_are_itself_and_then_by_cosine() -> None:
    rows = unit(8, 3)
    found = nearest(rows, 4)
    for i in range(8):
        others = sorted(
            (j for j in range(8) if j != i), key=lambda j: -float(rows[i] @ rows[j])
        )
        assert found[i].tolist() == [i, *others[:3]]
    assert nearest(rows[:2], 4).shape == (2, 2)


def test_proxy_equals_the_loop() -> None:
    rows, dim = unit(6, 4), 4
    proxies = NeighborProxies(dim, 2)
    with torch.no_grad():
        for layer in (proxies.asking, proxies.asked):
            layer.weight.add_(0.3 * torch.randn(4, 4))
        found = proxies(rows)
        for i in range(6):
            near = nearest(rows, 3)[i].tolist()
            weights = [
                math.exp(
                    float(
                        (proxies.asking.weight @ rows[i]) @ (proxies.asked.weight @ rows[j])
                    )
                    / math.sqrt(dim)
                )
                for j in near
            ]
            mixed = sum(w * rows[j] for w, j in zip(weights, near, strict=True))
            assert isinstance(mixed, Tensor)
            torch.testing.assert_close(found[i], F.normalize(mixed, dim=0))


def test_attention_and_embeddings_receive_gradient() -> None:
    rows = unit(6, 4).requires_grad_()
    proxies = NeighborProxies(4, 2)
    (proxies(rows) * unit(6, 4, 1)).sum().backward()
    assert rows.grad is not None
    assert rows.grad.abs().sum() > 0
    for parameter in proxies.parameters():
        assert parameter.grad is not None
        assert parameter.grad.abs().sum() > 0


@pytest.mark.parametrize("count", [1, 2])
def test_fewer_rows_than_neighbours_are_enough(count: int) -> None:
    rows = unit(count, 4)
    found = NeighborProxies(4, 5)(rows)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(count))
