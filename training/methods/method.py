"""The seam every method stands behind: settings and data in, one tower per modality out.

A tower maps float32 features (batch, d) to unit-norm embeddings (batch, k) of its own
modality alone; that of a method of sequences takes (batch, time, d), where the steps that
an item lacks at its end are NaN. All it learned lies in parameters and buffers, so
settings, problem and state dict restore it; it contains no training-only branch and
exports to ONNX as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor, nn

from crossmodal.modality import Modality
from training.config import Settings
from training.data import TrainingData
from training.fitting.checkpoints import Checkpoints

Towers = Mapping[Modality, nn.Module]
Record = dict[str, Any]
Value = TypeVar("Value")
AnySettings = TypeVar("AnySettings", bound=Settings)

SUPERVISION = ("none", "pairs", "labels", "labels+pairs")


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodCard:
    """What a reader should know of a method before choosing it.

    Attributes:
        supervision: What it learns from: none, pairs, labels or labels+pairs.
        needs_pairs: Whether it cannot be fitted without pairs; on class-paired data it
            gets drawn ones.
        embedding: What the embedding's dimensions are, in a few words.
        exportable: Whether it can be served.
        sequences: Whether it takes the steps of an item instead of one pooled row.
    """

    name: str
    title: str
    source: str
    supervision: str
    needs_pairs: bool
    embedding: str
    exportable: bool
    sequences: bool = False


def as_taken(card: MethodCard, data: TrainingData) -> TrainingData:
    """Return data whose features are what a method takes: pooled rows, or sequences.

    Raises:
        DataError: If it takes sequences and a modality has none.
    """
    return data.with_sequences() if card.sequences else replace(data, sequences={})


@dataclass(frozen=True, slots=True)
class Problem:
    """The sizes a method is built for: feature width per modality, number of classes."""

    dims: Mapping[Modality, int]
    classes: int

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """The modalities, in a stable order."""
        return tuple(sorted(self.dims))

    @classmethod
    def of(cls, data: TrainingData) -> Problem:
        """Return the sizes of a data set."""
        dims = {m: data.features[m].shape[-1] for m in data.modalities}
        return cls(dims, len(data.classes))


@dataclass(frozen=True, slots=True, kw_only=True)
class FitContext:
    """What fitting depends on beside data and settings.

    Attributes:
        seed: Decides every draw.
        device: Where networks are trained; closed forms are solved on the CPU.
        log: Takes one record per epoch.
        note: Takes remarks a reader of the result should see.
        memory: What fits of several settings on the same data share.
        checkpoints: Where networks keep what an interrupted fit goes on from, if anywhere.
    """

    seed: int
    device: torch.device
    log: Callable[[Record], None] = lambda record: None
    note: Callable[[str], None] = lambda text: None
    memory: dict[Hashable, Any] = field(default_factory=dict)
    checkpoints: Checkpoints | None = None

    def remember(self, key: Hashable, compute: Callable[[], Value]) -> Value:
        """Return what was computed under the key before, or compute it now."""
        if key not in self.memory:
            self.memory[key] = compute()
        value: Value = self.memory[key]
        return value

    def paired(self, train: TrainingData) -> TrainingData:
        """Return data with pairs: its own or, which is noted, drawn within classes."""
        if train.pairs is None:
            self.note("no pairs in the data: same-class pairs drawn")
        return train.with_drawn_pairs(self.seed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """How an iterative fit went; the towers hold the best epoch.

    Attributes:
        best_epoch: The epoch kept, from 1.
        best_score: Its validation score; None without validation data.
        last_score: The last epoch's validation score.
        last_state: The last epoch's state, one flat dict over all towers.
    """

    best_epoch: int
    best_score: float | None
    last_score: float | None
    last_state: Mapping[str, Tensor]


@runtime_checkable
class Method(Protocol[AnySettings]):
    """A way to map features of several modalities into one embedding space."""

    @property
    def card(self) -> MethodCard:
        """What it is."""

    @property
    def presets(self) -> Mapping[str, AnySettings]:
        """Complete settings by name: paper, tuned, and as_coded where code differs."""

    @property
    def grids(self) -> Sequence[Mapping[str, Sequence[Any]]]:
        """Values tried on validation with preset tuned, as alternative products."""

    def build(self, settings: AnySettings, problem: Problem) -> Towers:
        """Return untrained towers, ready to be fitted or to take a state dict."""

    def fit(
        self,
        towers: Towers,
        train: TrainingData,
        validation: TrainingData | None,
        settings: AnySettings,
        context: FitContext,
    ) -> Training | None:
        """Fit the towers in place; None says that there were no epochs to choose from.

        Raises:
            DataError: If the data lacks what the method learns from.
        """

    def refits(self, settings: AnySettings) -> bool:
        """Whether it is fitted again on train and validation once settings are chosen."""

    def same_modality_mask(
        self, settings: AnySettings, problem: Problem
    ) -> tuple[int, ...]:
        """Return the dimensions to zero in a query that searches its own modality."""


def flat_state(towers: Towers) -> dict[str, Tensor]:
    """Return every tower's state as one flat dict, keys led by the modality."""
    return {
        f"{modality}.{name}": tensor.detach().cpu().clone()
        for modality, tower in towers.items()
        for name, tensor in tower.state_dict().items()
    }


def load_flat_state(towers: Towers, state: Mapping[str, Tensor]) -> None:
    """Load what ``flat_state`` returned; every tensor must be there, and no other.

    Raises:
        RuntimeError: If a tensor is missing, unexpected or of another shape.
    """
    modules = nn.ModuleDict({modality.value: tower for modality, tower in towers.items()})
    modules.load_state_dict(dict(state), strict=True)
