import numpy as np
import pytest
import torch

from training.games.neighbors import NeighborGraph, nearest_rows


def rows(count: int, dim: int, seed: int) -> torch.Tensor:
    return torch.randn(count, dim, generator=torch.Generator().manual_seed(seed))


def brute(features: list[torch.Tensor], k: int) -> list[set[int]]:
    count = len(features[0])
    found = [{i} for i in range(count)]
    for part in features:
        for i in range(count):
            apart = [(float((part[i] - part[j]).norm()), j) for j in range(count) if j != i]
            for _, j in sorted(apart)[:k]:
                found[i].add(j)
                found[j].add(i)
    return found


@pytest.mark.parametrize("k", [1, 3, 50])
def test_graph_is_the_union_of_the_modalities_made_symmetric(k: int) -> None:
    features = [rows(20, 3, 0), rows(20, 5, 1)]
    graph = NeighborGraph(features, k)
    for pair, expected in enumerate(brute(features, k)):
        assert graph.of(pair).tolist() == sorted(expected)


def test_joins_and_draws_agree_with_the_graph() -> None:
    graph = NeighborGraph([rows(30, 4, 0)], 3)
    queries, others = np.array([4, 0, 29]), np.arange(30)
    joined = graph.joins(queries, others)
    drawn = graph.draw(queries, 400, np.random.default_rng(0))
    for query, row, chosen in zip(queries, joined, drawn, strict=True):
        np.testing.assert_array_equal(np.flatnonzero(row), graph.of(int(query)))
        assert set(chosen) == set(graph.of(int(query)))


def test_nearest_rows_do_not_depend_on_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    features = rows(50, 6, 2) + 100
    whole = nearest_rows(features, 4)
    monkeypatch.setattr("training.games.neighbors.CHUNK", 7)
    assert torch.equal(nearest_rows(features, 4), whole)
