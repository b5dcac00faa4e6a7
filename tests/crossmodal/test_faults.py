from pathlib import Path

import pytest

from crossmodal.errors import DataError, DivergenceError
from crossmodal.faults import fault, field_of, naming
from crossmodal.modality import Modality

A, V = Modality.AUDIO, Modality.VISUAL


def test_a_fault_is_field_finding_and_remedy() -> None:
    error = fault("audio/id", "is missing", "add it")
    assert (type(error), str(error)) == (DataError, "field audio/id: is missing; add it")


@pytest.mark.parametrize(
    ("modality", "column", "split", "name"),
    [
        (A, "features", "train", "audio/features (audio_train)"),
        (V, "features", "test", "visual/features (visual_test)"),
        (V, "label", "test", "visual/label (lab_test)"),
        (A, "label", "val", "audio/label"),
        (A, "label", None, "audio/label"),
        (A, "pair", "train", "audio/pair"),
    ],
)
def test_a_field_is_named_as_each_layout_has_it(
    modality: Modality, column: str, split: str | None, name: str
) -> None:
    assert field_of(modality, column, split) == name


def test_the_file_is_named_once_and_divergence_is_not_its_fault() -> None:
    path = Path("some/f.h5")
    with pytest.raises(DataError, match=r"^some/f\.h5: field x: y; z$"), naming(path):
        with naming(path):
            raise fault("x", "y", "z")
    with pytest.raises(DivergenceError, match=r"^it diverged$"), naming(path):
        raise DivergenceError("it diverged")
