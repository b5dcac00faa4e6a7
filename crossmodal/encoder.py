"""Encoders: features of one modality to embeddings, run by ONNX Runtime.

An encoder takes pooled rows (items, dim) or sequences of any length (items, time, dim).
Items are encoded one at a time. Matrix products of different shapes differ in the last
bits, so a batch would let an item's companions move it within near-ties; alone, an
embedding is the same bit for bit wherever and whenever it is computed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32

from crossmodal.embeddings import Embeddings, check_unit
from crossmodal.errors import BundleError, ShapeError

InputFeatures = Float32[np.ndarray, "items *time input_dim"]


@runtime_checkable
class Encoder(Protocol):
    """Turns features of one modality, pooled rows or sequences, into embeddings."""

    dim: int
    input_dim: int

    def embed(self, features: InputFeatures) -> Embeddings:
        """Return one unit-norm embedding per item, in order.

        Raises:
            ShapeError: If the shape is wrong or a value is not finite.
        """


class OnnxEncoder:
    """An exported graph: input ``features``, output ``embedding``.

    Features are (batch, d), or (batch, time, d) with a time axis of any length.
    """

    def __init__(
        self, graph: bytes, *, input_dim: int, dim: int, name: str, sequences: bool = False
    ) -> None:
        """Load a graph whose external data, if any, was refused before.

        Raises:
            BundleError: If ONNX Runtime refuses it or its ports differ.
        """
        import onnxruntime  # here: whoever only sends vectors needs none

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                graph, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # the runtime's errors share no base class
            raise BundleError(f"{name}: ONNX Runtime refuses the graph") from error
        inputs = {port.name: port.shape for port in self._session.get_inputs()}
        outputs = {port.name: port.shape for port in self._session.get_outputs()}
        if list(inputs) != ["features"] or list(outputs) != ["embedding"]:
            raise BundleError(
                f"{name}: expected input 'features' and output 'embedding', "
                f"got {list(inputs)} and {list(outputs)}"
            )
        if inputs["features"][-1] != input_dim or outputs["embedding"][-1] != dim:
            raise BundleError(
                f"{name}: the manifest says {input_dim} -> {dim}, the graph "
                f"{inputs['features'][-1]} -> {outputs['embedding'][-1]}"
            )
        if len(inputs["features"]) != (3 if sequences else 2):
            wanted = "sequences" if sequences else "pooled rows"
            raise BundleError(
                f"{name}: the manifest says {wanted}, the graph takes features of shape "
                f"{inputs['features']}"
            )
        self.input_dim = input_dim
        self.dim = dim
        self._axes = len(inputs["features"])

    @classmethod
    def open(
        cls, path: Path, *, input_dim: int, dim: int, sequences: bool = False
    ) -> OnnxEncoder:
        """Load the graph of a file; the caller has checked its checksum."""
        return cls(
            path.read_bytes(),
            input_dim=input_dim,
            dim=dim,
            name=path.name,
            sequences=sequences,
        )

    def embed(self, features: InputFeatures) -> Embeddings:
        """Return one unit-norm embedding per item, in order.

        Raises:
            ShapeError: If the shape is wrong, a value is not finite, or the graph's answer
                has no unit norm.
        """
        fits = features.ndim == self._axes and features.shape[-1] == self.input_dim
        if not fits or 0 in features.shape[1:]:
            time = "time, " if self._axes == 3 else ""
            raise ShapeError(
                f"expected features (items, {time}{self.input_dim}), got {features.shape}"
            )
        if not np.isfinite(features).all():
            raise ShapeError("features must be finite numbers")
        embeddings = np.empty((len(features), self.dim), dtype=np.float32)
        for row in range(len(features)):
            (embeddings[row],) = self.forward(features[row : row + 1])
        if len(embeddings):
            check_unit(embeddings)
        return embeddings

    def forward(self, features: InputFeatures) -> Embeddings:
        """Run the graph on a batch as it is; export uses it to check parity."""
        (embeddings,) = self._session.run(["embedding"], {"features": features})
        result: Embeddings = embeddings
        return result
