"""A game of hash functions: one side proposes neighbours, the other judges them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import permutations
from typing import cast

import numpy as np
import torch
from torch import Tensor

from crossmodal.modality import Modality
from training.batches.sampling import Rows
from training.data import TrainingData
from training.fitting.optimization import make_optimizer
from training.fitting.states import GeneratorState, Stateful
from training.games.neighbors import NeighborGraph
from training.games.player import Player
from training.losses.neighbor_game import (
    critic_hinges,
    policy_loss,
    propose,
    squared_distances,
)
from training.methods.method import Towers
from training.towers.code_tower import CodeTower
from training.towers.networks import modules_of
from training.towers.tower import Standardizer

FEWEST_CANDIDATES = 16


class HashPlayer(Player):
    """Hash functions with their optimiser, whose rate falls by steps."""

    def __init__(
        self,
        towers: Towers,
        *,
        optimizer: str,
        rate: float,
        weight_decay: float,
        decay: float,
        decay_steps: int,
    ) -> None:
        """Prepare.

        Args:
            towers: Code towers, on their device.
            optimizer: As ``make_optimizer`` names it.
            rate: Learning rate.
            weight_decay: Of matrices.
            decay: Factor on the rate every ``decay_steps``.
            decay_steps: How many steps that is.
        """
        networks = modules_of(towers)
        mover = make_optimizer(
            networks.parameters(), optimizer, rate=rate, weight_decay=weight_decay
        )
        schedule = torch.optim.lr_scheduler.StepLR(mover, decay_steps, decay)
        super().__init__(networks, [mover], [schedule])
        self._towers = towers

    def codes(self, modality: Modality, features: Tensor) -> Tensor:
        """Return codes in [0, 1]: a sigmoid of the network's doubled outputs."""
        return (cast(CodeTower, self._towers[modality]).outputs(features) + 1) / 2


class NeighborGame:
    """The pairs, who neighbours whom, and one epoch of either side."""

    def __init__(
        self,
        data: TrainingData,
        *,
        neighbors: int,
        standardize: bool,
        margin: float,
        pool: float,
        negatives: int,
        batch: int,
        among_drawn: bool,
        baseline: bool,
        seed: int,
        device: torch.device,
    ) -> None:
        """Find the neighbours.

        Args:
            data: Has pairs; what is said of items below is said of pairs.
            neighbors: Per item and modality.
            standardize: Whether nearness is that of standardised features.
            margin: Of the critic's hinge, in squared units.
            pool: Share of the items that a batch's proposals come from.
            negatives: Proposals per query.
            batch: Queries per step.
            among_drawn: Normalise the generator's probabilities over the proposals alone.
            baseline: Whether the mean reward is subtracted.
            seed: Decides every draw.
            device: Where the features go.
        """
        pairs = data.pairs or {}
        self._features: Mapping[Modality, Tensor] = {
            m: torch.from_numpy(data.features[m][pairs[m]]).to(device)
            for m in data.modalities
        }
        self.graph = NeighborGraph(
            [
                _standardized(rows) if standardize else rows
                for rows in self._features.values()
            ],
            neighbors,
        )
        count = self.graph.count
        self._candidates = min(count, max(FEWEST_CANDIDATES, round(pool * count)))
        self._margin = margin
        self._negatives = negatives
        self._batches = max(1, round(count / batch))
        self._among_drawn = among_drawn
        self._baseline = baseline
        self._rng = np.random.default_rng(seed)
        self._draws = torch.Generator(device).manual_seed(seed)
        self.states: list[Stateful] = [
            GeneratorState(self._rng),
            GeneratorState(self._draws),
        ]

    def train_critic(self, critic: HashPlayer, proposer: HashPlayer | None) -> float:
        """Take one epoch of steps in both directions and return the mean loss.

        Args:
            critic: Learns.
            proposer: Proposes what the critic is to tell from true neighbours; without
                one, proposals are drawn evenly.
        """
        losses = []
        for queries, candidates in self._epoch():
            parts = [
                self._hinges(critic, way, queries, candidates, drawn).mean()
                for way, drawn in self._proposed(proposer, queries, candidates)
            ]
            loss = torch.stack(parts).mean()
            critic.step(loss)
            losses.append(loss.detach())
        return float(torch.stack(losses).mean())

    def train_generator(
        self, proposer: HashPlayer, critic: HashPlayer
    ) -> tuple[float, float]:
        """Take one epoch of steps in both directions; return mean loss and mean reward."""
        losses, gains = [], []
        for queries, candidates in self._epoch():
            parts = []
            for way in permutations(self._features, 2):
                distances = self._distances(proposer, way, queries, candidates)
                drawn = propose(distances, self._negatives, generator=self._draws)
                with torch.no_grad():
                    hinges = self._hinges(critic, way, queries, candidates, drawn)
                rewards = hinges.sigmoid()
                gains.append(rewards.mean())
                parts.append(
                    policy_loss(
                        distances,
                        drawn,
                        rewards,
                        baseline=self._baseline,
                        among_drawn=self._among_drawn,
                    )
                )
            loss = torch.stack(parts).mean()
            proposer.step(loss)
            losses.append(loss.detach())
        return float(torch.stack(losses).mean()), float(torch.stack(gains).mean())

    def _epoch(self) -> Iterator[tuple[Rows, Rows]]:
        order = self._rng.permutation(self.graph.count)
        for queries in np.array_split(order, self._batches):
            chosen = self._rng.choice(self.graph.count, self._candidates, replace=False)
            yield queries, chosen

    def _proposed(
        self, proposer: HashPlayer | None, queries: Rows, candidates: Rows
    ) -> Iterator[tuple[tuple[Modality, ...], Tensor]]:
        """Yield each direction with proposals that are no neighbours."""
        device = next(iter(self._features.values())).device
        barred = torch.from_numpy(self.graph.joins(queries, candidates)).to(device)
        for way in permutations(self._features, 2):
            with torch.no_grad():
                distances = torch.zeros(barred.shape, device=device)
                if proposer is not None:
                    distances = self._distances(proposer, way, queries, candidates)
            drawn = propose(
                distances, self._negatives, barred=barred, generator=self._draws
            )
            yield way, drawn

    def _distances(
        self,
        player: HashPlayer,
        way: tuple[Modality, ...],
        queries: Rows,
        candidates: Rows,
    ) -> Tensor:
        asked, answers = (
            player.codes(m, self._features[m][torch.from_numpy(rows)])
            for m, rows in zip(way, (queries, candidates), strict=True)
        )
        return squared_distances(asked, answers)

    def _hinges(
        self,
        critic: HashPlayer,
        way: tuple[Modality, ...],
        queries: Rows,
        candidates: Rows,
        drawn: Tensor,
    ) -> Tensor:
        """Return the critic's hinge for each proposal against a neighbour by chance."""
        query, gallery = way
        asked = critic.codes(query, self._features[query][torch.from_numpy(queries)])
        rows = self._features[gallery]
        neighbors = self.graph.draw(queries, drawn.shape[1], self._rng)
        true = critic.codes(gallery, rows[torch.from_numpy(neighbors).reshape(-1)])
        true = true.reshape(*neighbors.shape, -1)
        proposals = critic.codes(gallery, rows[torch.from_numpy(candidates)])[drawn]
        return critic_hinges(
            (asked[:, None] - true).square().sum(dim=2),
            (asked[:, None] - proposals).square().sum(dim=2),
            self._margin,
        )


def _standardized(rows: Tensor) -> Tensor:
    standardize = Standardizer(rows.shape[1])
    standardize.fit(rows.cpu().numpy())
    standardized: Tensor = standardize.to(rows.device)(rows)
    return standardized
