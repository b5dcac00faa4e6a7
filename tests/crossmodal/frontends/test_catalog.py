from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crossmodal.errors import FrontEndError, ModalityError
from crossmodal.frontends.catalog import (
    FRONTENDS,
    create_frontend,
    parse_choices,
    restore_frontend,
)
from crossmodal.frontends.frontend import FrontEndSpec
from crossmodal.media.tracks import AudioRequest, VisualRequest
from crossmodal.modality import Modality


@pytest.mark.parametrize("name", list(FRONTENDS))
def test_every_front_end_bears_out_its_card(name: str, tmp_path: Path) -> None:
    card = FRONTENDS[name]
    frontend = create_frontend(name, card.modality, weights=tmp_path)
    assert frontend.spec.name == card.name == name
    assert frontend.spec.modality == card.modality
    kind = {Modality.AUDIO: AudioRequest, Modality.VISUAL: VisualRequest}[card.modality]
    assert isinstance(frontend.request, kind)
    pinned = None if card.weights is None else card.weights.sha256
    assert frontend.spec.weights_sha256 == pinned
    rows = np.zeros((2, frontend.spec.dim), dtype=np.float32)
    assert frontend.pool(rows).shape == (frontend.spec.pooled_dim,)


def test_an_unknown_name_lists_the_choices() -> None:
    with pytest.raises(FrontEndError, match=r"'vgg'.*logmel, .*, mobilenet$"):
        create_frontend("vgg")


def test_a_front_end_of_another_modality_lists_those_that_fit() -> None:
    with pytest.raises(
        FrontEndError, match=r"for visual 'yamnet'.*of framestats, mobilenet$"
    ):
        create_frontend("yamnet", Modality.VISUAL)


def test_no_front_end_takes_text() -> None:
    with pytest.raises(FrontEndError, match="expected one of none"):
        create_frontend("logmel", Modality.TEXT)


@pytest.mark.parametrize("name", list(FRONTENDS))
def test_a_spec_survives_json_and_restores_its_front_end(name: str) -> None:
    spec = create_frontend(name).spec
    stored = json.loads(json.dumps(asdict(spec)))
    stored["modality"] = Modality(stored["modality"])
    restored = restore_frontend(FrontEndSpec(**stored))
    assert restored.spec.name == name
    assert json.loads(json.dumps(asdict(restored.spec))) == json.loads(
        json.dumps(asdict(spec))
    )


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"version": 99}, r"version \(expected 99, this build has 1\)"),
        ({"weights_sha256": "0" * 64}, "weights_sha256"),
        ({"pooled_dim": 7}, "pooled_dim"),
        ({"settings": {}}, "settings.hop"),
    ],
)
def test_a_spec_of_another_build_is_refused(change: dict[str, Any], named: str) -> None:
    spec = replace(create_frontend("yamnet").spec, **change)
    with pytest.raises(FrontEndError, match=named):
        restore_frontend(spec)


def test_choices_are_read_by_modality() -> None:
    chosen = parse_choices(["visual=framestats", "audio=logmel"])
    assert {modality: choice.spec.name for modality, choice in chosen.items()} == {
        Modality.AUDIO: "logmel",
        Modality.VISUAL: "framestats",
    }
    assert parse_choices([]) == {}


@pytest.mark.parametrize(
    ("choices", "error", "named"),
    [
        (["logmel"], FrontEndError, "expected MODALITY=NAME"),
        (["audio=framestats"], FrontEndError, "front end for audio 'framestats'"),
        (
            ["audio=logmel", "audio=yamnet"],
            FrontEndError,
            "more than one front end for audio",
        ),
        (["smell=logmel"], ModalityError, "unknown modality 'smell'"),
    ],
)
def test_choices_that_do_not_fit_are_refused(
    choices: list[str], error: type[Exception], named: str
) -> None:
    with pytest.raises(error, match=named):
        parse_choices(choices)


def test_the_catalog_loads_no_compiler_and_no_network_runtime() -> None:
    heavy = ["librosa", "numba", "ai_edge_litert", "torch", "av"]
    code = (
        "import sys, crossmodal.frontends.catalog\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    root = Path(__file__).parents[3]
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "[]"
