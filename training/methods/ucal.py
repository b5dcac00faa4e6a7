"""Unsupervised cross-modal adversarial learning: partners together, modality hidden."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from training.batches.sampling import Batch
from training.config import check_range
from training.data import TrainingData
from training.games.modality_game import (
    GameSettings,
    ModalityGame,
    Outputs,
    play,
    projectors,
    two_at_a_time,
)
from training.losses.variance_floor import variance_floor
from training.methods.kinds import EpochChosen
from training.methods.method import FitContext, MethodCard, Problem, Towers, Training


@dataclass(frozen=True, slots=True, kw_only=True)
class UcalSettings(GameSettings):
    """Settings of unsupervised adversarial learning, beside those of the game.

    Attributes:
        pair_weight: Weight of the partners' squared distance.
        var_floor: Deviation below which an output's spread is penalised; 0 is off.
        var_weight: Weight of that penalty.
    """

    pair_weight: float = 1.0
    var_floor: float = 0.5
    var_weight: float = 10.0

    def __post_init__(self) -> None:
        GameSettings.__post_init__(self)
        check_range("pair_weight", self.pair_weight, 0, 1e6)
        check_range("var_floor", self.var_floor, 0, 1)
        check_range("var_weight", self.var_weight, 0, 1e6)


class Ucal(EpochChosen):
    r"""Projectors that bring partners together while a critic looks for their modality.

    Objective: $\operatorname{mean}_i \|f(x_i) - g(y_i)\|^2 - w L_{adv}$ for the
    projectors, $L_{adv}$, the critic's cross-entropy over modalities, for the critic, in
    one descent with the critic's gradient reversed; $w = 2/(1+e^{-10p}) - 1$ with p the
    share of epochs done. Outputs are tanh; the embedding is these at unit norm.

    Supervision: pairs; labels only choose the epoch, where validation data has them.

    Departures: no network is printed for it, so it has that of its labelled successor.
    Nothing in the objective keeps both projectors from mapping everything to one point:
    ``tuned`` adds a floor under the deviation of every output, ``paper`` has none.

    Source:
        He et al. 2017, Unsupervised cross-modal retrieval through adversarial learning.
    """

    card: ClassVar[MethodCard] = MethodCard(
        name="ucal",
        title="Unsupervised cross-modal adversarial learning",
        source="He et al. 2017",
        supervision="pairs",
        needs_pairs=True,
        embedding="learned",
        exportable=True,
    )
    presets: ClassVar[Mapping[str, UcalSettings]] = {
        "paper": UcalSettings(
            hidden=100,
            activation="tanh",
            dropout=0.0,
            standardize=False,
            game_weight=1.0,
            rate=1e-4,
            weight_decay=0.0,
            schedule="constant",
            epochs=200,
            batch=64,
            var_floor=0.0,
        ),
        "tuned": UcalSettings(epochs=20),
    }
    grids: ClassVar[tuple[Mapping[str, tuple[Any, ...]], ...]] = ()

    def build(self, settings: UcalSettings, problem: Problem) -> Towers:
        """Return one projector per modality."""
        return projectors(settings, problem)

    def fit(
        self,
        towers: Towers,
        train: TrainingData,
        validation: TrainingData | None,
        settings: UcalSettings,
        context: FitContext,
    ) -> Training:
        """Train; the epoch best on validation is kept, the last without validation.

        Raises:
            DataError: If there are no pairs and none can be drawn, or training diverges.
        """
        train = context.paired(train)
        model = UcalModel(towers, settings)
        return play(
            model, model.game, model.losses, towers, train, validation, settings, context
        )


class UcalModel(nn.Module):
    """Projectors and critic, with the losses between them."""

    def __init__(self, towers: Towers, settings: UcalSettings) -> None:
        super().__init__()
        self.settings = settings
        self.game = ModalityGame(towers, settings)

    def losses(self, features: Outputs, batch: Batch) -> dict[str, Tensor]:
        """Return the loss and its terms, summed over pairs of modalities."""
        outputs = self.game.outputs(features, batch)
        gaps = [
            (outputs[one] - outputs[other]).square().sum(dim=1).mean()
            for one, other in two_at_a_time(outputs)
        ]
        terms = {"pairs": torch.stack(gaps).sum()}
        total = self.settings.pair_weight * terms["pairs"]
        if self.settings.var_floor > 0:
            floors = [
                variance_floor(rows, self.settings.var_floor) for rows in outputs.values()
            ]
            terms["spread"] = torch.stack(floors).sum()
            total = total + self.settings.var_weight * terms["spread"]
        game = self.game.critic_loss(outputs)
        total = total + torch.stack([torch.zeros_like(total), *game.values()]).sum()
        return {"loss": total, **terms, **game}
