"""Every method that is trained in epochs goes on after an interruption, bit for bit.

A method passes ``checkpoints=context.checkpoints`` and ``beside=[keeper]``, with whatever
else its loss draws from, to the training loop; one with a loop of its own runs over
``epochs_left``.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from training.data import TrainingData
from training.fitting.best_epoch import BestEpoch
from training.fitting.checkpoints import Checkpoints, Slot
from training.fitting.class_centers import ClassCenters
from training.fitting.states import GeneratorState, NotedState, OptimizerState
from training.games.hashing_game import HashingGame
from training.methods.catalog import METHODS
from training.methods.method import flat_state
from training.protocol.selection import Fitted, fit_method

MakeData = Callable[..., TrainingData]
EPOCHS = 3
SMALL = {
    "epochs": str(EPOCHS),
    "rounds": str(EPOCHS),
    "pretrain": "2",
    "hidden": "8",
    "dim": "4",
    "members": "2",
    "least_steps": "0",
    "decay_steps": "2",
    "decay_epochs": "1",
}
FORMS = {"posterior_product": {"classifier": "mlp"}}
"""Settings under which a method that also has a closed form is trained in epochs."""
ITERATIVE = [
    name
    for name, method in METHODS.items()
    if {"epochs", "rounds"} & method.presets["tuned"].to_json().keys()
]
MOST_STARTS = 30


class StoppedError(Exception):
    """Ends a fit."""


class Trial:
    """One method's fit, whole or interrupted again and again."""

    def __init__(self, name: str, make_data: MakeData) -> None:
        known = METHODS[name].presets["tuned"].to_json()
        self._name = name
        self._overrides = {key: text for key, text in SMALL.items() if key in known}
        self._overrides |= FORMS.get(name, {})
        self._data = make_data(0, per_class=6), make_data(1, per_class=4)

    def whole(self, checkpoints: Checkpoints | None = None) -> Fitted:
        """Fit without an interruption."""
        return fit_method(
            self._name, "tuned", self._overrides, *self._data, checkpoints=checkpoints
        )

    def interrupted(self, folder: Path, patch: pytest.MonkeyPatch) -> tuple[Fitted, int]:
        """Return the fit and how often it started.

        Every start gets one epoch further and is stopped in the next, which is lost.
        """
        saves = 0
        save = Slot.save

        def stopping(slot: Slot, *given: Any) -> None:
            nonlocal saves
            saves += 1
            if saves == 2:
                raise StoppedError
            save(slot, *given)

        patch.setattr(Slot, "save", stopping)
        for start in range(1, MOST_STARTS + 1):
            saves = 0
            try:
                fitted = self.whole(Checkpoints(folder, fingerprint="", interval_s=0.0))
            except StoppedError:
                continue
            return fitted, start
        raise AssertionError(f"{self._name} starts again and again")


def same(one: Fitted, other: Fitted) -> bool:
    """Whether two fits agree in every tensor and every record."""
    states = [flat_state(one.towers), flat_state(other.towers)]
    known = [one.training, other.training]
    if one.training is not None and other.training is not None:
        known = [(t.best_epoch, t.last_score) for t in (one.training, other.training)]
        states += [one.training.last_state, other.training.last_state]
    return (
        known[0] == known[1]
        and list(one.history) == list(other.history)
        and one.selection == other.selection
        and all(
            ours.keys() == theirs.keys()
            and all(torch.equal(tensor, theirs[key]) for key, tensor in ours.items())
            for ours, theirs in zip(states[::2], states[1::2], strict=True)
        )
    )


@pytest.mark.parametrize("name", ITERATIVE)
def test_a_fit_interrupted_in_every_epoch_ends_as_if_nothing_had_been(
    name: str, make_data: MakeData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = Trial(name, make_data)
    whole = trial.whole()
    fitted, starts = trial.interrupted(tmp_path / "checkpoints", monkeypatch)
    assert starts >= EPOCHS
    assert same(whole, fitted)


@pytest.mark.parametrize("name", sorted(METHODS.keys() - ITERATIVE))
def test_what_is_not_trained_in_epochs_logs_none(name: str, make_data: MakeData) -> None:
    assert not list(Trial(name, make_data).whole().history)


@pytest.mark.parametrize(
    ("name", "forgetful"),
    [
        ("dcca", BestEpoch),
        ("vae_cca", ClassCenters),
        ("ugach", GeneratorState),
        ("ugach", NotedState),
        ("agah", OptimizerState),
        ("agah", HashingGame),
    ],
)
def test_a_state_that_is_not_taken_back_shows(
    name: str,
    forgetful: type,
    make_data: MakeData,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trial = Trial(name, make_data)
    whole = trial.whole()
    monkeypatch.setattr(forgetful, "load", lambda *given: None)
    fitted, _ = trial.interrupted(tmp_path / "checkpoints", monkeypatch)
    assert not same(whole, fitted)
