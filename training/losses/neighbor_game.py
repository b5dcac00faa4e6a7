"""The neighbour game: a generator proposes neighbours, a critic tells the true ones."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

Distances = Float[Tensor, "queries draws"]


def squared_distances(
    queries: Float[Tensor, "queries dim"], others: Float[Tensor, "others dim"]
) -> Float[Tensor, "queries others"]:
    """Return the squared Euclidean distance of every query to every other row."""
    squares = queries.square().sum(dim=1)[:, None] + others.square().sum(dim=1)
    return (squares - 2 * queries @ others.T).clamp(min=0)


def critic_hinges(true: Distances, proposed: Distances, margin: float) -> Distances:
    """Return ``[margin + D(q, true) - D(q, proposed)]_+`` for every draw.

    Args:
        true: Squared distances of queries to true neighbours.
        proposed: Squared distances to what the generator proposed.
        margin: In squared units.

    Source:
        Zhang, Peng and Yuan 2018, Unsupervised generative adversarial cross-modal hashing.
    """
    return (margin + true - proposed).clamp(min=0)


def propose(
    distances: Float[Tensor, "queries candidates"],
    draws: int,
    *,
    barred: Bool[Tensor, "queries candidates"] | None = None,
    generator: torch.Generator | None = None,
) -> Int64[Tensor, "queries draws"]:
    """Draw candidates with probability ``softmax(-D)``, repeats allowed.

    Args:
        distances: Squared distances in the generator's codes.
        draws: Per query.
        barred: Candidates not to draw; a query that has no other draws among them.
        generator: Decides the draws; torch's own if not given.
    """
    scores = -distances.detach().float()
    if barred is not None:
        free = ~barred | barred.all(dim=1, keepdim=True)
        scores = scores.masked_fill(~free, -torch.inf)
    return scores.softmax(dim=1).multinomial(draws, True, generator=generator)


def policy_loss(
    distances: Float[Tensor, "queries candidates"],
    drawn: Int64[Tensor, "queries draws"],
    rewards: Distances,
    *,
    baseline: bool = True,
    among_drawn: bool = False,
) -> Float[Tensor, ""]:
    r"""Return $-\operatorname{mean}\log p(c|q)(r - \bar r)$, whose gradient raises rewards.

    Args:
        distances: Squared distances in the generator's codes; p is ``softmax(-D)``.
        drawn: The candidates that were proposed.
        rewards: What the critic gave for each.
        baseline: Whether the mean reward of the batch is subtracted, which leaves the
            expected gradient as it is and lessens its variance.
        among_drawn: Normalise p over the proposed alone, as published code does.

    Source:
        Zhang, Peng and Yuan 2018; Williams 1992 for the estimator.
    """
    scores = -distances
    if among_drawn:
        likelihood = scores.gather(1, drawn).log_softmax(dim=1)
    else:
        likelihood = scores.log_softmax(dim=1).gather(1, drawn)
    gain = rewards.detach()
    if baseline:
        gain = gain - gain.mean()
    return -(likelihood * gain).mean()
