"""Export: a run's encoders as a bundle, proved equal to the checkpoint."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32

from crossmodal.bundle import (
    Bundle,
    BundleManifest,
    EncoderSpec,
    refuse_external_data,
    write_manifest,
)
from crossmodal.confidence import Confidence
from crossmodal.durable import write_bytes, write_json
from crossmodal.encoder import OnnxEncoder
from crossmodal.errors import BundleError
from crossmodal.frontends.frontend import FrontEndSpec
from crossmodal.modality import Direction, Modality

BATCH_SIZES = (1, 2, 7, 64)
STEPS = (1, 4, 10, 25)
TOLERANCE = 1e-4
OPSET = 18


def example(input_dim: int, *, sequences: bool) -> Float32[torch.Tensor, "batch *time dim"]:
    """Return features of the shape a tower takes.

    There are two rows, of three steps: with one, the exporter takes it for a constant.
    """
    return torch.zeros(2, 3, input_dim) if sequences else torch.zeros(2, input_dim)


def graph_of(tower: torch.nn.Module, input_dim: int, *, sequences: bool = False) -> bytes:
    """Return the tower as an ONNX graph: ``features`` to ``embedding`` (batch, k).

    Args:
        tower: Takes features (batch, d), or sequences (batch, time, d).
        input_dim: The width d.
        sequences: Whether it takes sequences.
    """
    tower = tower.to("cpu").eval()
    file = io.BytesIO()
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            tower,
            (example(input_dim, sequences=sequences),),
            file,  # type: ignore[arg-type]  # this exporter takes a buffer
            input_names=["features"],
            output_names=["embedding"],
            dynamic_axes={
                "features": {0: "batch", 1: "time"} if sequences else {0: "batch"},
                "embedding": {0: "batch"},
            },
            opset_version=OPSET,
            dynamo=False,
        )
    graph = file.getvalue()
    refuse_external_data(graph, "exported graph")
    return graph


def parity(
    tower: torch.nn.Module,
    graph: bytes,
    *,
    input_dim: int,
    dim: int,
    sequences: bool = False,
    seed: int = 0,
) -> dict[str, Any]:
    """Compare graph and tower on random features at several batch sizes and lengths.

    Raises:
        BundleError: If any coordinate differs by more than 1e-4.
    """
    encoder = OnnxEncoder(
        graph, input_dim=input_dim, dim=dim, name="exported graph", sequences=sequences
    )
    rng = np.random.default_rng(seed)
    differences = {}
    for size in product(BATCH_SIZES, STEPS) if sequences else product(BATCH_SIZES):
        features = rng.standard_normal((*size, input_dim)).astype(np.float32)
        with torch.inference_mode():
            expected = tower.cpu().eval()(torch.from_numpy(features)).numpy()
        together = float(np.abs(encoder.forward(features) - expected).max())
        alone = float(np.abs(encoder.embed(features) - expected).max())
        differences["x".join(map(str, size))] = max(together, alone)
    worst = max(differences.values())
    if not worst <= TOLERANCE:
        raise BundleError(
            f"the exported graph differs from the checkpoint by {worst:.2g}, more than "
            f"{TOLERANCE:g}"
        )
    return {"largest_difference_by_batch": differences, "tolerance": TOLERANCE}


def write_bundle(
    out: Path,
    graphs: Mapping[Modality, bytes],
    towers: Mapping[Modality, torch.nn.Module],
    *,
    dims: Mapping[Modality, int],
    dim: int,
    sequences: bool = False,
    method: str,
    classes: tuple[str, ...],
    same_modality_mask: tuple[int, ...],
    frontends: Mapping[Modality, FrontEndSpec | None],
    fit: Mapping[str, Any],
    model_card: str,
    confidence: Mapping[Direction, Confidence] | None = None,
    direction: Direction | None = None,
) -> Bundle:
    """Write a bundle after comparing every graph with its tower, and open it again.

    Raises:
        BundleError: If the folder holds something else, or a graph differs.
    """
    out.mkdir(parents=True, exist_ok=True)
    if any(out.iterdir()) and not (out / "manifest.json").is_file():
        raise BundleError(f"{out}: not empty and no bundle; choose another --out")
    for old in out.iterdir():
        old.unlink()
    report = {}
    for modality, graph in sorted(graphs.items()):
        report[modality.value] = parity(
            towers[modality],
            graph,
            input_dim=dims[modality],
            dim=dim,
            sequences=sequences,
        )
        write_bytes(out / f"{modality}.onnx", graph)
    write_json(out / "parity.json", report)
    write_bytes(out / "MODEL_CARD.md", model_card.encode())
    write_manifest(
        out,
        BundleManifest(
            method=method,
            dim=dim,
            encoders={
                modality: EncoderSpec(
                    file=f"{modality}.onnx",
                    input_dim=dims[modality],
                    frontend=frontends[modality],
                    sequences=sequences,
                )
                for modality in sorted(graphs)
            },
            classes=classes,
            same_modality_mask=same_modality_mask,
            fit=fit,
            confidence=confidence or {},
            direction=direction,
        ),
    )
    return Bundle.open(out)
