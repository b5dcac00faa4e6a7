"""Classifiers of one modality's standardised features, as modules that give logits."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float32, Float64, Int64
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from training.fitting.checkpoints import Checkpoints
from training.fitting.loop import train_epochs
from training.fitting.optimization import Optimization
from training.towers.tower import Features

Standardized = Float64[np.ndarray, "items dim"]
Labels = Int64[np.ndarray, "items"]
Logits = Float32[Tensor, "members batch classes"]

ABSENT = -1e4  # the logit of a class that training did not hold
LOGISTIC_STEPS = 500


class Stack(nn.Module):
    """The same linear layer for several members of an ensemble at once."""

    def __init__(self, members: int, inputs: int, outputs: int) -> None:
        super().__init__()
        bound = 1 / math.sqrt(inputs)  # as torch.nn.Linear draws
        self.weight = nn.Parameter(torch.empty(members, inputs, outputs))
        self.bias = nn.Parameter(torch.empty(members, 1, outputs))
        nn.init.uniform_(self.weight, -bound, bound)
        nn.init.uniform_(self.bias, -bound, bound)

    def forward(
        self, rows: Float32[Tensor, "#members batch inputs"]
    ) -> Float32[Tensor, "members batch outputs"]:
        """Return each member's outputs."""
        return torch.matmul(rows, self.weight) + self.bias


class LinearClassifier(nn.Module):
    """Multinomial logistic regression: one linear layer."""

    def __init__(self, dim: int, classes: int) -> None:
        super().__init__()
        self.layer = Stack(1, dim, classes)

    def forward(self, features: Features) -> Logits:
        """Return logits of the single member."""
        logits: Tensor = self.layer(features[None])
        return logits


class EnsembleClassifier(nn.Module):
    """Networks of one hidden layer that differ in their draws alone."""

    def __init__(
        self, dim: int, classes: int, *, members: int, hidden: int, dropout: float
    ) -> None:
        super().__init__()
        self.members = members
        self.first = Stack(members, dim, hidden)
        self.dropout = nn.Dropout(dropout)
        self.last = Stack(members, hidden, classes)

    def forward(self, features: Features) -> Logits:
        """Return logits of every member for the same rows."""
        return self.of_members(features[None])

    def of_members(self, features: Float32[Tensor, "#members batch dim"]) -> Logits:
        """Return logits of every member for its own rows."""
        hidden = self.dropout(F.relu(self.first(features)))
        logits: Tensor = self.last(hidden)
        return logits


def fit_logistic(
    classifier: LinearClassifier,
    features: Standardized,
    labels: Labels,
    *,
    c: float,
    note: Callable[[str], None],
) -> None:
    """Fit by L-BFGS to the optimum; a class without rows never becomes likely.

    Args:
        classifier: Takes the coefficients.
        features: Standardised features.
        labels: Class of each row; at least two classes.
        c: Inverse strength of the L2 penalty, as scikit-learn has it.
        note: Is told if the optimum was not reached.
    """
    model = LogisticRegression(C=c, max_iter=LOGISTIC_STEPS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(features, labels)
    if model.n_iter_.max() >= LOGISTIC_STEPS:
        note(f"logistic regression with c={c:g} stopped after {LOGISTIC_STEPS} steps")
    weight, bias = model.coef_, model.intercept_
    if len(model.classes_) == 2:  # scikit-learn keeps the second class's alone
        weight, bias = np.vstack([-weight, weight]) / 2, np.hstack([-bias, bias]) / 2
    with torch.no_grad():
        classifier.layer.weight.zero_()
        classifier.layer.bias.fill_(ABSENT)
        present = torch.from_numpy(model.classes_)
        classifier.layer.weight[0, :, present] = torch.from_numpy(weight.T).float()
        classifier.layer.bias[0, 0, present] = torch.from_numpy(bias).float()


def fit_ensemble(
    classifier: EnsembleClassifier,
    features: Standardized,
    labels: Labels,
    *,
    training: Optimization,
    batch: int,
    device: torch.device,
    rng: np.random.Generator,
    checkpoints: Checkpoints | None = None,
) -> None:
    """Train every member by cross-entropy on the same rows, each in an order of its own.

    Args:
        classifier: Is trained in place and left in evaluation mode on the CPU.
        features: Standardised features.
        labels: Class of each row.
        training: Epochs and rates.
        batch: Rows per step and member; the last batch of an epoch may be smaller.
        device: Where to train.
        rng: Orders the rows.
        checkpoints: Where an interrupted training goes on from, if anywhere.
    """
    rows = torch.from_numpy(features).float().to(device)
    truth = torch.from_numpy(labels).to(device)
    orders = classifier.members

    def batches(epoch: int) -> list[Tensor]:
        order = np.stack([rng.permutation(len(labels)) for _ in range(orders)])
        pieces = math.ceil(len(labels) / batch)
        return [
            torch.from_numpy(piece).to(device)
            for piece in np.array_split(order, pieces, axis=1)
        ]

    def loss(chosen: Tensor) -> dict[str, Tensor]:
        logits = classifier.of_members(rows[chosen])
        return {"loss": F.cross_entropy(logits.flatten(0, 1), truth[chosen].flatten())}

    classifier.to(device)
    steps = math.ceil(len(labels) / batch)
    train_epochs(
        classifier,
        batches,
        loss,
        training,
        steps_per_epoch=steps,
        device=device,
        checkpoints=checkpoints,
    )
    classifier.eval().to("cpu")
