import pytest
import torch
from torch import Tensor

from crossmodal.modality import Modality
from training.losses.cross_triplets import Masks, cross_triplets

A, T, V = Modality.AUDIO, Modality.TEXT, Modality.VISUAL
MARGIN = 0.5


def rows(counts: dict[Modality, int], seed: int) -> dict[Modality, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        m: torch.randn(count, 3, generator=generator, dtype=torch.float64)
        for m, count in counts.items()
    }


def masks_of(labels: dict[Modality, Tensor]):  # noqa: ANN201
    def masks(one: Modality, other: Modality) -> Masks:
        same = labels[one][:, None] == labels[other]
        different = ~same
        if one == other:
            same = same & ~torch.eye(len(same), dtype=torch.bool)
        return same, different

    return masks


def slowly(embedded: dict[Modality, Tensor], labels: dict[Modality, Tensor]) -> float:
    def apart(x: Tensor, y: Tensor) -> float:
        return 1 - float(x @ y / x.norm() / y.norm())

    losses = []
    for one in embedded:
        for near in embedded:
            for far in embedded:
                if one == near == far:
                    continue
                costs = [
                    apart(embedded[one][i], embedded[near][p])
                    - apart(embedded[one][i], embedded[far][n])
                    + MARGIN
                    for i, label in enumerate(labels[one])
                    for p in range(len(labels[near]))
                    if labels[near][p] == label and (one != near or i != p)
                    for n in range(len(labels[far]))
                    if labels[far][n] != label
                ]
                positive = [cost for cost in costs if cost > 0]
                losses.append(sum(positive) / max(1, len(positive)))
    return sum(losses) / len(losses)


@pytest.mark.parametrize("counts", [{A: 5, V: 6}, {A: 4, T: 3, V: 5}])
def test_cross_triplets_equal_the_loops(counts: dict[Modality, int]) -> None:
    embedded = rows(counts, 0)
    labels = {m: torch.arange(count) % 2 for m, count in counts.items()}
    found = cross_triplets(embedded, masks_of(labels), margin=MARGIN)
    assert found.item() == pytest.approx(slowly(embedded, labels), abs=1e-9)


def test_gradient_agrees_with_differences() -> None:
    embedded = rows({A: 4, V: 5}, 1)
    labels = {m: torch.arange(len(x)) % 2 for m, x in embedded.items()}

    def loss(audio: Tensor, visual: Tensor) -> Tensor:
        return cross_triplets({A: audio, V: visual}, masks_of(labels))

    leaves = tuple(embedded[m].requires_grad_() for m in (A, V))
    assert torch.autograd.gradcheck(loss, leaves, eps=1e-6, atol=1e-5)
