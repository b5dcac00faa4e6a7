"""LSTM cluster CCA: recurrent networks over a clip's steps, then CCA over class pairs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from crossmodal.errors import ConfigError
from crossmodal.modality import Modality
from training.config import check_range
from training.data import TrainingData
from training.methods import deep, deep_settings, linear
from training.methods.deep_settings import ClassDeepSettings, widths_of
from training.methods.kinds import EpochChosen
from training.methods.method import FitContext, MethodCard, Problem, Towers, Training
from training.towers.recurrent_tower import RecurrentNetwork, RecurrentTower

SIDES = ("left_layers", "right_layers")

# The public code's network and how it is trained, in what the text does not contradict.
CODED: dict[str, Any] = deep_settings.SIGMOID | {
    "left_layers": "512-512-128-64",
    "right_layers": "784-784-256-64",
    "activation": "softmax",
    "last": "sigmoid",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LstmSettings(ClassDeepSettings):
    """Settings of LSTM cluster CCA; the others are cluster DCCA's.

    Attributes:
        left_layers: Widths of the first modality's recurrent layers, of the layer at
            every step and of the output, as in ``512-512-128-64``.
        right_layers: Those of the second.
        activation: After the layer at every step.
        dropout: Share of a recurrent layer's outputs dropped in training.
        batch_norm: Whether the layer at every step is normalised before its activation.
        steps: How many steps a clip is brought to: a shorter one ends in zeros, of a
            longer one stretches are averaged.
        mask: Whether the steps that a clip lacks are kept out of the output.
    """

    left_layers: str = "128-32-20"
    right_layers: str = "128-32-20"
    dropout: float = 0.3
    epochs: int = 20
    rate: float = 5e-3
    score_every: int = 4
    steps: int = 10
    mask: bool = True

    def __post_init__(self) -> None:
        ClassDeepSettings.__post_init__(self)
        check_range("steps", self.steps, 1, 1000)
        for name in SIDES:
            if len(widths_of(name, getattr(self, name))) < 3:
                raise ConfigError(
                    f"{name} must name a recurrent layer, the layer at every step and the "
                    f"output or more, as 128-32-20, got {getattr(self, name)!r}"
                )


class LstmClusterCca(EpochChosen):
    r"""Recurrent networks over ten steps, trained to correlate as cluster DCCA's are.

    Objective: ``c_dcca``'s, of networks that see the steps of a clip in their order; the
    final linear CCA takes the same blend of true pairs and class pairs of all training
    items.

    Departures: only name and scores are printed; the network is that of public code, which
    passes every step through a softmax and pads clips with zeros that it does not mask.
    ``as_coded`` does the same, in file order; ``paper`` masks them and shuffles; ``tuned``
    has rectified steps and narrower layers. Clips of more than ten steps, which the code
    does not meet, are averaged by stretches.

    Source:
        Zeng 2020, Deep alignment representation learning for multimodal information
        retrieval, table 5.2.
    """

    card: ClassVar[MethodCard] = MethodCard(
        name="lstm_c_cca",
        title="LSTM cluster CCA (sequences)",
        source="Zeng 2020",
        supervision="labels+pairs",
        needs_pairs=True,
        embedding="canonical components of network outputs",
        exportable=True,
        sequences=True,
    )
    presets: ClassVar[Mapping[str, LstmSettings]] = {
        "paper": LstmSettings(**CODED, batch=1000, epochs=50, marginals="plain"),
        "as_coded": LstmSettings(
            **CODED | deep_settings.AS_CODED | {"weight_decay": 0.0}, epochs=50, mask=False
        ),
        "tuned": LstmSettings(),
    }
    grids: ClassVar[tuple[Mapping[str, tuple[Any, ...]], ...]] = ()

    def build(
        self, settings: LstmSettings, problem: Problem
    ) -> dict[Modality, RecurrentTower]:
        """Return one network per modality, with the projection of its outputs.

        Raises:
            DataError: If there are not exactly two modalities.
        """
        linear.check_two(problem)
        towers = {}
        for modality, name in zip(problem.modalities, SIDES, strict=True):
            dim, widths = problem.dims[modality], widths_of(name, getattr(settings, name))
            network = RecurrentNetwork(
                dim,
                widths,
                steps=settings.steps,
                mask=settings.mask,
                activation=settings.activation,
                last=settings.last,
                dropout=settings.dropout,
                batch_norm=settings.batch_norm,
                input_norm=settings.input_norm,
            )
            towers[modality] = RecurrentTower(
                dim, network, outputs=widths[-1], components=settings.components
            )
        return towers

    def fit(
        self,
        towers: Towers,
        train: TrainingData,
        validation: TrainingData | None,
        settings: LstmSettings,
        context: FitContext,
    ) -> Training:
        """Train on batches of pairs; without pairs of their own, on drawn ones.

        Raises:
            DataError: If no class is present in both modalities, if there are fewer than
                two pairs, or if training diverges.
        """
        pair_set = settings.pair_set(context.seed)
        return deep.fit(towers, train, validation, settings, context, pair_set)
