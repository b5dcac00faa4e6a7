from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from crossmodal.errors import FrontEndError
from crossmodal.frontends import mobilenet
from crossmodal.frontends.tflite import TfliteNetwork


def network(place: Path, **changes: object) -> TfliteNetwork:
    settings = {
        "input_shape": (1, 224, 224, 3),
        "input_dtype": np.uint8,
        "output": mobilenet.EMBEDDING,
    }
    return TfliteNetwork(mobilenet.WEIGHTS, place, **(settings | changes))  # type: ignore[arg-type]


PICTURE = np.zeros((1, 224, 224, 3), dtype=np.uint8)


def test_nothing_is_read_before_the_first_run(tmp_path: Path) -> None:
    unread = network(tmp_path)
    with pytest.raises(FrontEndError, match="frontends fetch mobilenet"):
        unread.run(PICTURE)


def test_a_missing_runtime_names_the_extra(
    encoders_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(FrontEndError, match=r"ai-edge-litert.*'frontends'"):
        network(encoders_directory).run(PICTURE)


def test_another_input_shape_is_reported(encoders_directory: Path) -> None:
    with pytest.raises(FrontEndError, match=r"should take uint8 of shape \(1, 96, 96, 3\)"):
        network(encoders_directory, input_shape=(1, 96, 96, 3)).run(PICTURE)


def test_an_unknown_tensor_is_reported(encoders_directory: Path) -> None:
    with pytest.raises(FrontEndError, match="expected one tensor 'embedding'"):
        network(encoders_directory, output="embedding").run(PICTURE)
