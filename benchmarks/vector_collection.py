"""A collection of random vectors, made by the same commands' code as any other."""

import tempfile
from pathlib import Path

import numpy as np
import torch

from crossmodal.features import FeaturesFile, table, write_features
from crossmodal.modality import Modality
from index.build import build
from training.export import graph_of, write_bundle

MODALITIES = (Modality.AUDIO, Modality.VISUAL)


class Unit(torch.nn.Module):
    """Scales rows to unit norm: the encoder of vectors that are embeddings already."""

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return the rows at unit norm."""
        return torch.nn.functional.normalize(features, dim=1)


def vector_collection(out: Path, *, items: int, dim: int, seed: int = 0) -> None:
    """Write a data directory of random unit vectors in two galleries."""
    rng = np.random.default_rng(seed)
    ids = [f"item{number}" for number in range(items)]
    labels = rng.integers(0, 10, items)
    tables = {
        modality: table(
            rng.standard_normal((items, dim)).astype(np.float32), id=ids, label=labels
        )
        for modality in MODALITIES
    }
    tower = Unit()
    graph = graph_of(tower, dim)
    with tempfile.TemporaryDirectory() as folder:
        features = Path(folder) / "vectors.h5"
        write_features(features, FeaturesFile("vectors", tables))
        bundle = Path(folder) / "bundle"
        write_bundle(
            bundle,
            dict.fromkeys(MODALITIES, graph),
            dict.fromkeys(MODALITIES, tower),
            dims=dict.fromkeys(MODALITIES, dim),
            dim=dim,
            method="unit",
            classes=(),
            same_modality_mask=(),
            frontends=dict.fromkeys(MODALITIES),
            fit={},
            model_card="Scales vectors to unit norm, for benchmarks.\n",
        )
        build(bundle, features, out)
