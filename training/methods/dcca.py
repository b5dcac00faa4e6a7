"""Deep CCA: two networks whose outputs for a pair correlate most."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from training.correlation.pair_sets import PairSet
from training.data import TrainingData
from training.methods import deep
from training.methods.deep_settings import SIGMOID, DeepSettings
from training.methods.kinds import EpochChosen
from training.methods.method import FitContext, MethodCard, Problem, Towers, Training


class DeepCca(EpochChosen):
    r"""Networks trained to correlate on true pairs, then linear CCA of their outputs.

    Objective: $\max \frac1k\sum_{j \le k} \rho_j$, the canonical correlations of the two
    networks' outputs within a batch.

    Departures: the published scores (0.14, 0.42 and 0.47 on one data set) come without
    settings; ``paper`` is the network of public code with batches of 1,000, as a
    covariance needs, and ``as_coded`` its batches of 200 in file order under the root of
    summed squares in place of the sum. The ridge is relative to the outputs' variance.

    Source:
        Andrew, Arora, Bilmes and Livescu 2013, Deep canonical correlation analysis.
    """

    card: ClassVar[MethodCard] = MethodCard(
        name="dcca",
        title="Deep CCA",
        source="Andrew et al. 2013",
        supervision="pairs",
        needs_pairs=True,
        embedding="canonical components of network outputs",
        exportable=True,
    )
    presets: ClassVar[Mapping[str, DeepSettings]] = {
        "paper": DeepSettings(**SIGMOID, batch=1000, epochs=50),
        "as_coded": DeepSettings(
            **SIGMOID, batch=200, epochs=50, objective="norm", shuffle=False
        ),
        "tuned": DeepSettings(),
    }
    grids: ClassVar[tuple[Mapping[str, tuple[Any, ...]], ...]] = ()

    def build(self, settings: DeepSettings, problem: Problem) -> Towers:
        """Return one network per modality, with the projection of its outputs."""
        return deep.build(settings, problem)

    def fit(
        self,
        towers: Towers,
        train: TrainingData,
        validation: TrainingData | None,
        settings: DeepSettings,
        context: FitContext,
    ) -> Training:
        """Train on pairs, drawn ones where there are none of their own.

        Raises:
            DataError: If there are fewer than two pairs, or training diverges.
        """
        pair_set = PairSet(sigma=1.0, seed=context.seed)
        return deep.fit(towers, train, validation, settings, context, pair_set)
