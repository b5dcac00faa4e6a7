"""Another bundle for the same media: the same front ends, other weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from crossmodal.bundle import Bundle, write_manifest
from tests.graphs import linear_graph


def second_bundle(bundle: Bundle, directory: Path, seed: int = 99) -> Path:
    """Write a bundle that differs from another in its weights alone."""
    directory.mkdir()
    for number, (modality, spec) in enumerate(bundle.manifest.encoders.items()):
        shape = (spec.input_dim, bundle.manifest.dim)
        weights = np.random.default_rng(seed + number).normal(size=shape)
        graph = linear_graph(weights.astype(np.float32))
        (directory / f"{modality}.onnx").write_bytes(graph)
    write_manifest(directory, replace(bundle.manifest, method="other", files={}))
    return directory
