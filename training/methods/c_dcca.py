"""Cluster DCCA: deep CCA whose pairs are true pairs and pairs of one class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from training.data import TrainingData
from training.methods import deep
from training.methods.deep_settings import AS_CODED, SIGMOID, ClassDeepSettings
from training.methods.kinds import EpochChosen
from training.methods.method import FitContext, MethodCard, Problem, Towers, Training


class ClusterDeepCca(EpochChosen):
    r"""Networks trained to correlate on true pairs and on pairs of one class.

    Objective: deep CCA's, with the covariances $\sigma P + (1-\sigma) C$, P over true
    pairs and C over all pairs of one class in the batch, which are never listed; the
    final linear CCA takes the same blend of all training items.

    Departures: marginals are blended as the cross covariance is, where the source leaves
    them unweighted (``marginals=plain``). ``paper`` has deep CCA's hidden layers and half
    of the class pairs, as the text says; ``as_coded`` and ``as_coded_alt`` are the two
    networks of public code, in file order, with its weight decay. That code's final
    projection takes rows by a mask read as row numbers; no preset does.

    Source:
        Yu, Tang, Aizawa and Aizawa 2018, Category-based deep CCA for fine-grained venue
        discovery from multimodal data; settings of Zeng 2020, Deep alignment
        representation learning.
    """

    card: ClassVar[MethodCard] = MethodCard(
        name="c_dcca",
        title="Cluster DCCA",
        source="Yu et al. 2018",
        supervision="labels+pairs",
        needs_pairs=True,
        embedding="canonical components of network outputs",
        exportable=True,
    )
    presets: ClassVar[Mapping[str, ClassDeepSettings]] = {
        "paper": ClassDeepSettings(
            **SIGMOID, batch=1000, epochs=100, fraction=0.5, marginals="plain"
        ),
        "as_coded": ClassDeepSettings(
            **SIGMOID
            | AS_CODED
            | {"left_layers": "20-20-10", "right_layers": "20-20-10", "dropout": 0.0},
            epochs=1,
        ),
        "as_coded_alt": ClassDeepSettings(
            **SIGMOID
            | AS_CODED
            | {
                "left_layers": "128-128-64-10",
                "right_layers": "256-256-128-10",
                "dropout": 0.2,
            },
            epochs=100,
        ),
        "tuned": ClassDeepSettings(),
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
            DataError: If no class is present in both modalities, if there are fewer than
                two pairs, or if training diverges.
        """
        pair_set = settings.pair_set(context.seed)
        return deep.fit(towers, train, validation, settings, context, pair_set)
