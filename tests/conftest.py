from __future__ import annotations

import random
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crossmodal.bundle import BundleManifest, EncoderSpec, write_manifest
from crossmodal.frontends.frontend import FrontEndSpec
from crossmodal.modality import Modality
from tests.graphs import linear_graph, sequence_graph

MakeBundle = Callable[..., Path]

_states: dict[tuple[str, str], Any] = {}


@pytest.fixture(autouse=True)
def same_numbers(request: pytest.FixtureRequest) -> None:
    """Let a test draw the same numbers whichever tests ran before it in its process."""
    random.seed(0)
    np.random.seed(0)
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)
    for name, value in vars(request.module).items():
        if isinstance(value, np.random.Generator):
            generator = value.bit_generator
            generator.state = _states.setdefault(
                (request.module.__name__, name), generator.state
            )


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> MakeBundle:
    """Return a function that writes a bundle: a random matrix and L2 norm per modality.

    ``input_dim`` is the width of the features of every modality; ``frontends`` names the
    front end of those modalities that have one, whose pooled width is then taken. With
    ``sequences`` the matrix is of a clip's mean step and its last, one below the other.
    """

    def make(
        modalities: Sequence[str] = ("audio", "visual"),
        *,
        input_dim: int = 6,
        dim: int = 8,
        seed: int = 0,
        same_modality_mask: Sequence[int] = (),
        frontends: dict[str, FrontEndSpec] | None = None,
        sequences: bool = False,
    ) -> Path:
        directory = tmp_path_factory.mktemp("bundle")
        rng = np.random.default_rng(seed)
        encoders = {}
        for modality in map(Modality, modalities):
            frontend = (frontends or {}).get(modality)
            width = frontend.pooled_dim if frontend else input_dim
            if sequences:
                width = frontend.dim if frontend else input_dim
            rows = 2 * width if sequences else width
            matrix = rng.standard_normal((rows, dim)).astype(np.float32)
            graph = sequence_graph(matrix) if sequences else linear_graph(matrix)
            (directory / f"{modality}.onnx").write_bytes(graph)
            encoders[modality] = EncoderSpec(
                file=f"{modality}.onnx",
                input_dim=width,
                frontend=frontend,
                sequences=sequences,
            )
        write_manifest(
            directory,
            BundleManifest(
                method="linear",
                dim=dim,
                encoders=encoders,
                same_modality_mask=tuple(same_modality_mask),
            ),
        )
        return directory

    return make
