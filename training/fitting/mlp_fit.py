"""Plain networks of one width, one per modality: their settings and towers."""

from __future__ import annotations

from dataclasses import dataclass

from training.config import check_range
from training.fitting.network_fit import NetworkSettings
from training.methods.method import Problem, Towers
from training.towers.networks import mlp_towers


@dataclass(frozen=True, slots=True, kw_only=True)
class MlpSettings(NetworkSettings):
    """Settings of networks whose hidden layers are all alike.

    Attributes:
        hidden: Width of hidden layers.
        layers: Number of hidden layers.
        dropout: Share of hidden units dropped in training.
        batch_norm: Whether hidden layers are normalised.
        standardize: Whether features are centred and divided by their deviation.
    """

    hidden: int = 128
    layers: int = 2
    dropout: float = 0.3
    batch_norm: bool = True
    standardize: bool = True

    def __post_init__(self) -> None:
        NetworkSettings.__post_init__(self)
        check_range("hidden", self.hidden, 1, 65536)
        check_range("layers", self.layers, 0, 16)
        check_range("dropout", self.dropout, 0, 0.95)

    def towers(self, problem: Problem, outputs: int) -> Towers:
        """Return one network per modality, with so many outputs."""
        return mlp_towers(
            problem.dims,
            [*[self.hidden] * self.layers, outputs],
            dropout=self.dropout,
            batch_norm=self.batch_norm,
        )
