from itertools import product

import torch

from training.games.class_codes import update_class_codes


def signs(rows: int, columns: int, seed: int) -> torch.Tensor:
    draw = torch.Generator().manual_seed(seed)
    return 2 * torch.randint(2, (rows, columns), generator=draw).float() - 1


def cost(codes: torch.Tensor, blocks: list[tuple[torch.Tensor, torch.Tensor]]) -> float:
    bits = codes.shape[1]
    return float(
        sum((items @ codes.T - bits * wanted).square().sum() for items, wanted in blocks)
    )


def test_one_pass_never_costs_and_ends_at_the_best_last_bit() -> None:
    labels = torch.tensor([0, 0, 1, 1, 2, 2, 2])
    wanted = 2 * torch.nn.functional.one_hot(labels).float() - 1
    for seed in range(5):
        old, items = signs(3, 4, seed), signs(7, 4, 100 + seed)
        blocks = [(items, wanted), (old, 2 * torch.eye(3) - 1)]
        new = update_class_codes(old, [(items, wanted)])
        assert set(new.unique().tolist()) <= {-1.0, 1.0}
        assert cost(new, blocks) <= cost(old, blocks)
        best = min(
            cost(torch.cat([new[:, :3], torch.tensor(bits)[:, None]], dim=1), blocks)
            for bits in product((-1.0, 1.0), repeat=3)
        )
        assert cost(new, blocks) == best


def test_classes_whose_items_agree_take_their_code() -> None:
    codes = torch.tensor([[1.0, 1.0, 1.0, 1.0], [1.0, -1.0, 1.0, -1.0]])
    labels = torch.tensor([0, 1] * 20)
    items = codes[labels]
    wanted = 2 * torch.nn.functional.one_hot(labels).float() - 1
    found = signs(2, 4, 0)
    for _ in range(5):
        found = update_class_codes(found, [(items, wanted)])
    # the code nearest to its items and farthest from the others' is found up to bits on
    # which both classes' items agree
    for number in (0, 1):
        assert found[number] @ codes[number] > found[number] @ codes[1 - number]
