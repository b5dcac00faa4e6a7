"""Triplet networks on the features themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from training.batches.class_masks import require_classes
from training.batches.sampling import Batch
from training.data import TrainingData
from training.fitting.network_fit import Outputs, train_networks
from training.methods.kinds import EpochChosen
from training.methods.method import FitContext, MethodCard, Problem, Towers, Training
from training.methods.triplet_networks import (
    EACH,
    TripletSettings,
    across_modalities,
    directions_of,
    models_per_direction,
    network,
    note_batches,
)
from training.towers.networks import NetworkTower


@dataclass(frozen=True, slots=True, kw_only=True)
class TnnSettings(TripletSettings):
    """Settings of triplet networks on features.

    Attributes:
        standardize: Whether features are centred and divided by their deviation.
    """

    standardize: bool = True


class Tnn(EpochChosen):
    r"""Towers whose anchor is nearer to each positive than to each negative by a margin.

    Objective: the mean of $[d(a_i, v_j) - d(a_i, v_k) + m]_+$ over the triplets that cost
    something, i and j of one class, i and k of different ones; the own pair is a positive.

    Departures: the source prints the hinge outside the sum, under which satisfied triplets
    cancel violated ones; it is inside here, as its prose asks. ``tuned`` standardises the
    features, normalises hidden layers and has no sigmoid at the end, which on features as
    they are keeps the published network near chance, and trains both directions in one
    model.

    Supervision: labels. Embedding: learned, compared by cosine.

    Source:
        Zeng 2020, Deep alignment representation learning for multimodal information
        retrieval, chapter 5, rows TNN (arXiv:1908.03737).
    """

    card: ClassVar[MethodCard] = MethodCard(
        name="tnn",
        title="Triplet networks",
        source="Zeng 2020, chapter 5",
        supervision="labels",
        needs_pairs=False,
        embedding="learned",
        exportable=True,
    )
    presets: ClassVar[Mapping[str, TnnSettings]] = {
        "paper": TnnSettings(
            dim=10,
            hidden=100,
            hidden_visual=200,
            layers=3,
            activation="tanh",
            last="sigmoid",
            dropout=0.2,
            batch_norm=False,
            margin=0.5,
            standardize=False,
            anchor=EACH,
            sampler="stratified",
            batch_count=400,
            epochs=20,
            least_steps=0,
            optimizer="adam",
            rate=1e-3,
            weight_decay=0.0,
            schedule="constant",
        ),
        "tuned": TnnSettings(),
    }
    grids: ClassVar[tuple[Mapping[str, tuple[Any, ...]], ...]] = ()

    def build(self, settings: TnnSettings, problem: Problem) -> Towers:
        """Return one network per modality."""
        return {
            modality: NetworkTower(dim, network(settings, modality, dim))
            for modality, dim in sorted(problem.dims.items())
        }

    def fit(
        self,
        towers: Towers,
        train: TrainingData,
        validation: TrainingData | None,
        settings: TnnSettings,
        context: FitContext,
    ) -> Training:
        """Train; the epoch best on validation is kept, the last without validation.

        Raises:
            ConfigError: If the anchor is ``each`` or no modality of the data.
            DataError: If there are no two classes to tell apart, or training diverges.
        """
        directions = directions_of(settings.anchor, train.modalities)
        require_classes(train, "a triplet network")
        batches = settings.batches(train, context.seed, settings.batch_count or None)
        note_batches(settings, len(batches), context)

        def losses(outputs: Outputs, batch: Batch) -> dict[str, Tensor]:
            return {"loss": across_modalities(outputs, batch, directions, settings)}

        return train_networks(
            towers,
            train,
            validation,
            settings,
            context,
            losses,
            standardize=settings.standardize,
            batches=batches,
        )

    def per_direction(
        self, settings: TnnSettings, problem: Problem
    ) -> Mapping[str, TripletSettings] | None:
        """Return each direction's own settings if the anchor is ``each``, else None."""
        return models_per_direction(settings, problem)
