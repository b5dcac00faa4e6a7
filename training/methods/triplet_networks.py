"""Triplet networks: what the triplet methods share in settings, networks and loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import permutations

import torch
from torch import Tensor, nn

from crossmodal.errors import ConfigError
from crossmodal.modality import Direction, Modality
from training.batches.class_masks import class_masks
from training.batches.sampling import Batch
from training.config import check_choice, check_range
from training.fitting.network_fit import NetworkSettings
from training.losses.triplet import DISTANCES, STRATEGIES, triplet_loss
from training.methods.method import FitContext, Problem
from training.towers.networks import ACTIVATIONS, mlp

BOTH, EACH = "both", "each"


@dataclass(frozen=True, slots=True, kw_only=True)
class TripletSettings(NetworkSettings):
    """Settings of towers under a triplet loss across modalities.

    Attributes:
        dim: Embedding size.
        hidden: Width of hidden layers.
        hidden_visual: Width of the visual tower's hidden layers; 0 takes ``hidden``.
        layers: Number of hidden layers.
        activation: After every hidden layer.
        last: After the output.
        dropout: Share of hidden units dropped in training.
        input_dropout: Share of inputs dropped in training.
        batch_norm: Whether hidden layers are normalised.
        margin: By how much a negative is farther than a positive.
        strategy: Which triplets of a batch count: ``batch_all``, ``semi_hard``, ``hard``,
            or 150 at ``random`` per anchor.
        distance: ``cosine``, ``euclidean`` or ``squared_euclidean``.
        anchor: Whose items are anchors: ``both`` sums the directions in one model, a
            modality's name trains one direction, ``each`` stands for one model per
            direction.
        batch_count: Batches an epoch is cut into unless balanced; 0 goes by ``batch``.
    """

    dim: int = 64
    hidden: int = 128
    hidden_visual: int = 0
    layers: int = 2
    activation: str = "relu"
    last: str = "linear"
    dropout: float = 0.3
    input_dropout: float = 0.0
    batch_norm: bool = True
    margin: float = 0.2
    strategy: str = "batch_all"
    distance: str = "cosine"
    anchor: str = BOTH
    batch_count: int = 0

    def __post_init__(self) -> None:
        NetworkSettings.__post_init__(self)
        check_range("dim", self.dim, 1, 4096)
        check_range("hidden", self.hidden, 1, 65536)
        check_range("hidden_visual", self.hidden_visual, 0, 65536)
        check_range("layers", self.layers, 0, 16)
        check_choice("activation", self.activation, tuple(ACTIVATIONS))
        check_choice("last", self.last, tuple(ACTIVATIONS))
        check_range("dropout", self.dropout, 0, 0.95)
        check_range("input_dropout", self.input_dropout, 0, 0.95)
        check_range("margin", self.margin, 0, 100)
        check_choice("strategy", self.strategy, STRATEGIES)
        check_choice("distance", self.distance, DISTANCES)
        check_choice("anchor", self.anchor, (BOTH, EACH, *Modality))
        check_range("batch_count", self.batch_count, 0, 10_000_000)


def network(settings: TripletSettings, modality: Modality, dim: int) -> nn.Sequential:
    """Return one modality's layers, for inputs of a width."""
    wide = settings.hidden_visual if modality == Modality.VISUAL else 0
    layers = mlp(
        [dim, *[wide or settings.hidden] * settings.layers, settings.dim],
        activation=settings.activation,
        last=settings.last,
        dropout=settings.dropout,
        batch_norm=settings.batch_norm,
    )
    if settings.input_dropout:
        layers.insert(0, nn.Dropout(settings.input_dropout))
    return layers


def directions_of(
    anchor: str, modalities: tuple[Modality, ...]
) -> list[tuple[Modality, Modality]]:
    """Return whose items are anchors for whose, for a setting ``anchor``.

    Raises:
        ConfigError: If one fit cannot serve it: ``each``, or a modality not in the data.
    """
    if anchor == EACH:
        raise ConfigError(
            "anchor=each trains one model per direction: choose one with --set anchor="
            f"NAME, NAME one of {', '.join(modalities)}, or {BOTH} for one model"
        )
    if anchor != BOTH and anchor not in modalities:
        raise ConfigError(
            f"anchor must be one of {BOTH}, {', '.join(modalities)}, got {anchor!r}"
        )
    return [
        pair for pair in permutations(sorted(modalities), 2) if anchor in (BOTH, pair[0])
    ]


def models_per_direction(
    settings: TripletSettings, problem: Problem
) -> Mapping[str, TripletSettings] | None:
    """Return the settings of each direction's own model; None says one model for all."""
    if settings.anchor != EACH:
        return None
    return {
        str(Direction(anchor, other)): replace(settings, anchor=anchor.value)
        for anchor, other in permutations(problem.modalities, 2)
    }


def across_modalities(
    outputs: Mapping[Modality, Tensor],
    batch: Batch,
    directions: list[tuple[Modality, Modality]],
    settings: TripletSettings,
) -> Tensor:
    """Return the sum of the triplet losses of directions, for outputs of any length."""
    losses = []
    for anchor, other in directions:
        same, different = class_masks(batch, anchor, other, outputs[anchor].device)
        losses.append(
            triplet_loss(
                outputs[anchor],
                outputs[other],
                same,
                different=different,
                margin=settings.margin,
                strategy=settings.strategy,
                distance=settings.distance,
            )
        )
    return torch.stack(losses).sum()


def note_batches(settings: TripletSettings, batches: int, context: FitContext) -> None:
    """Note that fewer batches are dealt than asked for."""
    if settings.sampler != "balanced" and batches < settings.batch_count:
        context.note(
            f"batch_count={settings.batch_count}: {batches} batches, as each is to hold "
            "two items per class"
        )
