"""A network goes on after an interruption and ends bit-equal.

A method passes ``checkpoints=context.checkpoints`` and ``beside=[keeper]``, with whatever
else its loss draws from, to the training loop.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from training.checkpoints import Checkpoints, Slot
from training.data import TrainingData
from training.methods.catalog import METHODS
from training.methods.method import flat_state
from training.selection import Fitted, fit_method

MakeData = Callable[..., TrainingData]
EPOCHS = 3
SMALL = {
    "epochs": str(EPOCHS),
    "hidden": "8",
    "dim": "4",
    "members": "2",
    "least_steps": "0",
}
FORMS = {"posterior_product": {"classifier": "mlp"}}
"""Settings under which a method that also has a closed form is trained in epochs."""
# One per way of calling the loop; the others call it as one of these does.
ITERATIVE = ("supcon", "posterior_product", "tnn")


class StoppedError(Exception):
    """Ends a fit after some saves."""


@pytest.mark.parametrize("name", ITERATIVE)
def test_an_interrupted_fit_ends_as_if_nothing_had_been(
    name: str, make_data: MakeData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train, validation = make_data(0, per_class=6), make_data(1, per_class=4)
    known = METHODS[name].presets["tuned"].to_json()
    overrides = {key: text for key, text in SMALL.items() if key in known}
    overrides |= FORMS.get(name, {})

    def fit(checkpoints: Checkpoints | None) -> Fitted:
        return fit_method(
            name, "tuned", overrides, train, validation, checkpoints=checkpoints
        )

    whole = fit(None)
    saves = []

    def interrupting(slot: Slot, epoch: int, *given: Any) -> None:
        save(slot, epoch, *given)
        saves.append(epoch)
        if len(saves) == EPOCHS - 1:
            raise StoppedError

    save = Slot.save
    monkeypatch.setattr(Slot, "save", interrupting)
    folder = tmp_path / "checkpoints"
    with pytest.raises(StoppedError):
        fit(Checkpoints(folder, fingerprint="", interval_s=0.0))
    resumed = fit(Checkpoints(folder, fingerprint="", interval_s=0.0))
    assert list(resumed.history) == list(whole.history)
    assert resumed.selection == whole.selection
    expected = flat_state(whole.towers)
    for key, tensor in flat_state(resumed.towers).items():
        assert torch.equal(tensor, expected[key]), key
    if whole.training is None or resumed.training is None:
        assert whole.training is resumed.training
        return
    assert resumed.training.best_epoch == whole.training.best_epoch
    assert resumed.training.last_score == whole.training.last_score
    for key, tensor in resumed.training.last_state.items():
        assert torch.equal(tensor, whole.training.last_state[key]), key
