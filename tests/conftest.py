from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from crossmodal.bundle import BundleManifest, EncoderSpec, write_manifest
from crossmodal.frontends.frontend import FrontEndSpec
from crossmodal.modality import Modality

MakeBundle = Callable[..., Path]


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


def linear_graph(matrix: np.ndarray) -> bytes:
    """Return the ONNX graph ``embedding = l2_normalize(features @ matrix)``."""
    return _graph(matrix, ["batch", matrix.shape[0]], [], "features")


def sequence_graph(matrix: np.ndarray) -> bytes:
    """Return the graph ``l2_normalize([mean over time, last step] @ matrix)``."""
    make = pytest.importorskip("onnx").helper.make_node
    before = [
        make("ReduceMean", ["features", "time"], ["mean"], keepdims=0),
        make("Gather", ["features", "end"], ["last"], axis=1),
        make("Concat", ["mean", "last"], ["rows"], axis=1),
    ]
    return _graph(matrix, ["batch", "time", matrix.shape[0] // 2], before, "rows")


def _graph(
    matrix: np.ndarray, shape: list[object], before: list[object], rows: str
) -> bytes:
    onnx = pytest.importorskip("onnx")
    dim = matrix.shape[1]
    helper, numpy_helper, kinds = onnx.helper, onnx.numpy_helper, onnx.TensorProto
    graph = helper.make_graph(
        [
            *before,
            helper.make_node("MatMul", [rows, "matrix"], ["product"]),
            helper.make_node("LpNormalization", ["product"], ["embedding"], axis=-1, p=2),
        ],
        "linear",
        [helper.make_tensor_value_info("features", kinds.FLOAT, shape)],
        [helper.make_tensor_value_info("embedding", kinds.FLOAT, ["batch", dim])],
        [
            numpy_helper.from_array(matrix, "matrix"),
            numpy_helper.from_array(np.array([1]), "time"),
            numpy_helper.from_array(np.array(-1), "end"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 9
    return bytes(model.SerializeToString())
