"""Supervised hash functions trained against critics of their modalities."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import permutations
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from crossmodal.modality import Modality
from training.batches.sampling import Batch
from training.data import UNLABELED, TrainingData
from training.fitting.optimization import make_optimizer
from training.fitting.states import Stateful
from training.games.class_codes import update_class_codes
from training.games.player import Player
from training.losses.all_triplets import all_triplets
from training.losses.codes import class_code_regression, quantization, uneven_magnitudes
from training.losses.triplet import triplet_loss
from training.losses.wasserstein import critic_loss
from training.towers.networks import mlp
from training.towers.prototype_tower import PrototypeTower
from training.towers.tower import unit_norm

CHUNK = 4096
CRITIC_WIDTHS = (512, 256, 1)
CRITIC_RATE, CRITIC_DECAY, CRITIC_BETAS = 1e-3, 1e-4, (0.5, 0.9)

Rows = Mapping[Modality, Tensor]


class HashingGame:
    """The hash functions' losses, their critics, and what is taken anew after an epoch."""

    def __init__(
        self,
        towers: Mapping[Modality, PrototypeTower],
        data: TrainingData,
        *,
        anchors_sum: bool,
        margin: float,
        weights: Mapping[str, float],
        penalty: float,
        rate: float,
        visual_share: float,
        weight_decay: float,
        device: torch.device,
    ) -> None:
        """Make critics, optimisers and class codes.

        Args:
            towers: On their device.
            data: Has labels.
            anchors_sum: Whether each anchor's triplets are added up.
            margin: Of the triplets.
            weights: Of the terms triplets, magnitudes, labels, codes, quantization, game.
            penalty: Of the critics' gradients.
            rate: Learning rate.
            visual_share: Factor on it for the visual network.
            weight_decay: Of matrices.
            device: Where it all is.
        """
        self._towers = towers
        self._features = {
            m: torch.from_numpy(data.features[m]).to(device) for m in data.modalities
        }
        self._labels = {
            m: torch.from_numpy(data.labels[m]).to(device) for m in data.modalities
        }
        self._anchors_sum = anchors_sum
        self._margin = margin
        self._weights = weights
        self._penalty = penalty
        first = next(iter(towers.values()))
        classes, width = first.prototypes.shape
        bits = first.hash.out_features
        drawn = torch.randint(2, (classes, bits), dtype=torch.float32)
        self.class_codes = (2 * drawn - 1).to(device)
        self.critics = nn.ModuleDict(
            {m.value: mlp([width, width, *CRITIC_WIDTHS]) for m in towers}
        ).to(device)
        self.classifier = nn.Linear(width, classes).to(device)
        self.classifier.requires_grad_(weights["labels"] > 0)
        trained = nn.ModuleDict({m.value: tower for m, tower in towers.items()})
        trained["classifier"] = self.classifier
        visual: list[nn.Parameter] = []
        rest: list[nn.Parameter] = []
        for name, parameter in trained.named_parameters():
            slow = name.startswith(f"{Modality.VISUAL}.network.")
            (visual if slow else rest).append(parameter)
        self._hashing = Player(
            trained,
            [
                make_optimizer(part, "adamax", rate=share * rate, weight_decay=weight_decay)
                for share, part in ((visual_share, visual), (1.0, rest))
                if part
            ],
        )
        judging = make_optimizer(
            self.critics.parameters(),
            "adamax",
            rate=CRITIC_RATE,
            weight_decay=CRITIC_DECAY,
            betas=CRITIC_BETAS,
        )
        self._judging = Player(self.critics, [judging])
        self.refresh()

    @property
    def states(self) -> list[Stateful]:
        """What a checkpoint must hold: both sides, and the class codes."""
        return [*self._hashing.states, *self._judging.states, self]

    def saved(self) -> tuple[Mapping[str, Tensor], Any]:
        """Return the class codes."""
        return {"class_codes": self.class_codes}, None

    def load(self, tensors: Mapping[str, Tensor], notes: Any) -> None:
        """Take the class codes back."""
        self.class_codes = tensors["class_codes"].to(self.class_codes.device)

    def set_share(self, share: float) -> None:
        """Set the hash functions' rates to a share of their highest."""
        self._hashing.set_share(share)

    def train(self, batches: Iterable[Batch]) -> dict[str, float]:
        """Take a step for every batch and return the terms' means."""
        steps = [self.step(batch) for batch in batches]
        return {
            name: float(torch.stack([terms[name] for terms in steps]).mean())
            for name in steps[0]
        }

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """Train the critics on a batch, then the hash functions; return the terms."""
        for tower in self._towers.values():
            tower.train()
        represented = {
            m: self._towers[m].represent(self._features[m][torch.from_numpy(rows)])
            for m, rows in batch.rows.items()
        }
        verdict = self._train_critics(represented)
        terms = self.losses(represented, batch)
        self._hashing.step(terms["loss"])
        return {name: value.detach() for name, value in terms.items()} | {
            "critics": verdict
        }

    def losses(self, represented: Rows, batch: Batch) -> dict[str, Tensor]:
        """Return the hash functions' loss and its terms, summed over modalities."""
        codes = {m: self._towers[m].codes(rows) for m, rows in represented.items()}
        labels = {
            m: torch.from_numpy(batch.labels[m]).to(rows.device)
            for m, rows in codes.items()
        }
        parts: dict[str, list[Tensor]] = {name: [] for name in self._weights}
        for modality, rows in codes.items():
            truth = labels[modality]
            parts["magnitudes"].append(uneven_magnitudes(rows))
            parts["quantization"].append(quantization(rows))
            parts["codes"].append(class_code_regression(rows, self.class_codes, truth))
            if self._weights["labels"] > 0:
                known = truth != UNLABELED
                logits = self.classifier(represented[modality][known])
                wanted = F.one_hot(truth[known], logits.shape[1]).float()
                total = F.binary_cross_entropy_with_logits(logits, wanted, reduction="sum")
                parts["labels"].append(total / max(1, len(logits)))
        self.critics.requires_grad_(False)  # their part of the gradient would be lost
        for one, other in permutations(codes, 2):
            ours, theirs = labels[one][:, None], labels[other]
            known = (ours != UNLABELED) & (theirs != UNLABELED)
            same, different = (ours == theirs) & known, (ours != theirs) & known
            parts["triplets"].append(
                all_triplets(codes[one], codes[other], same, different, self._margin)
                if self._anchors_sum
                else triplet_loss(
                    codes[one], codes[other], same, different=different, margin=self._margin
                )
            )
            parts["game"].append(-self.critics[other.value](represented[one]).mean())
        self.critics.requires_grad_(True)
        terms = {name: torch.stack(found).sum() for name, found in parts.items() if found}
        weighted = [self._weights[name] * value for name, value in terms.items()]
        return {"loss": torch.stack(weighted).sum(), **terms}

    @torch.no_grad()
    def refresh(self) -> None:
        """Take prototypes and class codes anew from all training data."""
        classes = len(self.class_codes)
        means, items = [], []
        for modality, tower in self._towers.items():
            tower.eval()
            parts = torch.split(self._features[modality], CHUNK)
            represented = torch.cat([tower.represent(part) for part in parts])
            labels = self._labels[modality]
            represented, labels = represented[labels >= 0], labels[labels >= 0]
            members = F.one_hot(labels, classes).float()
            sizes = members.sum(dim=0).clamp(min=1)
            means.append(members.T @ represented / sizes[:, None])
            signs = torch.where(tower.codes(represented) >= 0, 1.0, -1.0)
            items.append((signs, 2 * members - 1))
        prototypes = unit_norm(torch.stack(means).sum(dim=0))
        for tower in self._towers.values():
            tower.prototypes.copy_(prototypes)
        self.class_codes = update_class_codes(self.class_codes, items)

    def _train_critics(self, represented: Rows) -> Tensor:
        losses = []
        for modality, real in represented.items():
            for other, fake in represented.items():
                if other != modality:
                    critic = self.critics[modality.value]
                    losses.append(critic_loss(critic, real, fake, penalty=self._penalty))
        loss = torch.stack(losses).sum()
        self._judging.step(loss)
        return loss.detach()
