"""Supervised DCCA: deep CCA over true pairs and a share of the pairs of one class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from training.data import TrainingData
from training.methods import deep
from training.methods.deep_settings import SIGMOID, ClassDeepSettings
from training.methods.kinds import EpochChosen
from training.methods.method import FitContext, MethodCard, Problem, Towers, Training


class SupervisedDeepCca(EpochChosen):
    r"""Networks trained to correlate on true pairs, extended by pairs of one class.

    Objective: as ``c_dcca``, with the class pairs that the extension asks for:
    ``fraction`` 0 takes the true pairs alone, 0.5 pairs each first-modality item with a
    half of its class in the second, drawn once per class, 1 with all of it.

    Departures: the share of true pairs is not printed, nor are second moments centred
    there; the printed numbers of pairs cannot hold, so the extension is a share.
    ``tuned`` has outputs of 30, as the printed 256 leave two rows of a batch to each.

    Source:
        Zeng 2020, Deep alignment representation learning for multimodal information
        retrieval, chapter 4.
    """

    card: ClassVar[MethodCard] = MethodCard(
        name="s_dcca",
        title="Supervised DCCA",
        source="Zeng 2020",
        supervision="labels+pairs",
        needs_pairs=True,
        embedding="canonical components of network outputs",
        exportable=True,
    )
    presets: ClassVar[Mapping[str, ClassDeepSettings]] = {
        "paper": ClassDeepSettings(
            **SIGMOID
            | {
                "left_layers": "128-128-64-64",
                "right_layers": "512-512-256-256",
                "activation": "tanh",
                "last": "sigmoid",
                "dropout": 0.2,
                "input_norm": False,
                "k": 30,
            },
            batch=512,
            epochs=50,
            marginals="plain",
        ),
        "tuned": ClassDeepSettings(
            left_layers="256-256-30", right_layers="256-256-30", batch=512
        ),
    }
    grids: ClassVar[tuple[Mapping[str, tuple[Any, ...]], ...]] = ()

    def build(self, settings: ClassDeepSettings, problem: Problem) -> Towers:
        """Return one network per modality, with the projection of its outputs."""
        return deep.build(settings, problem)

    def fit(
        self,
        towers: Towers,
        train: TrainingData,
        validation: TrainingData | None,
        settings: ClassDeepSettings,
        context: FitContext,
    ) -> Training:
        """Train on batches of pairs; without pairs of their own, on drawn ones.

        Raises:
            DataError: If class pairs are asked for and no class is present in both
                modalities, if there are fewer than two pairs, or if training diverges.
        """
        pair_set = settings.pair_set(context.seed)
        return deep.fit(towers, train, validation, settings, context, pair_set)
