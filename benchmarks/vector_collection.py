"""A collection of clustered vectors, made by the same commands' code as any other."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from benchmarks.clusters import MODALITIES, Clusters
from crossmodal.features import FeaturesFile, table, write_features
from crossmodal.frontends.catalog import create_frontend
from crossmodal.modality import Modality
from index.build import build
from training.export import graph_of, write_bundle

FRONTENDS = {Modality.AUDIO: "logmel", Modality.VISUAL: "framestats"}


class Unit(torch.nn.Module):
    """Scales the first columns to unit norm: embeddings that are features already."""

    def __init__(self, dim: int) -> None:
        """Keep so many columns."""
        super().__init__()
        self.dim = dim

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return the kept columns at unit norm."""
        return torch.nn.functional.normalize(features[:, : self.dim], dim=1)


def vector_collection(out: Path, *, items: int, dim: int, seed: int = 0) -> None:
    """Write a data directory of unit vectors in two galleries."""
    write_collection(out, Clusters(items, dim, seed).draw(items))


def write_collection(
    out: Path, rows: Mapping[Modality, np.ndarray], *, media: bool = False
) -> None:
    """Write a data directory of items ``item0``, ``item1``, … with these vectors.

    Args:
        out: Where.
        rows: Unit-norm rows (items, dim) of each modality.
        media: Whether its bundle has front ends, so that clips may be sent too; what they
            are embedded as means nothing.
    """
    dim = rows[Modality.AUDIO].shape[1]
    specs = {m: create_frontend(FRONTENDS[m]).spec if media else None for m in MODALITIES}
    dims = {m: spec.pooled_dim if spec else dim for m, spec in specs.items()}
    tables = {}
    for modality, vectors in rows.items():
        features = np.zeros((len(vectors), dims[modality]), dtype=np.float32)
        features[:, :dim] = vectors
        ids = [f"item{number}" for number in range(len(vectors))]
        tables[modality] = table(features, id=ids, label=np.arange(len(vectors)) % 10)
    tower = Unit(dim)
    graphs = {modality: graph_of(tower, dims[modality]) for modality in MODALITIES}
    with tempfile.TemporaryDirectory() as folder:
        features_file = Path(folder) / "vectors.h5"
        write_features(features_file, FeaturesFile("vectors", tables))
        bundle = Path(folder) / "bundle"
        write_bundle(
            bundle,
            graphs,
            dict.fromkeys(MODALITIES, tower),
            dims=dims,
            dim=dim,
            method="unit",
            classes=(),
            same_modality_mask=(),
            frontends=specs,
            fit={},
            model_card="Scales vectors to unit norm, for benchmarks.\n",
        )
        build(bundle, features_file, out)
