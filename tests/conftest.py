from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from crossmodal.bundle import BundleManifest, EncoderSpec, write_manifest
from crossmodal.frontends.frontend import FrontEndSpec
from crossmodal.modality import Modality

MakeBundle = Callable[..., Path]


@pytest.fixture
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> MakeBundle:
    """Return a function that writes a bundle: a random matrix and L2 norm per modality.

    ``input_dim`` is the width of the features of every modality; ``frontends`` names the
    front end of those modalities that have one, whose pooled width is then taken.
    """

    def make(
        modalities: Sequence[str] = ("audio", "visual"),
        *,
        input_dim: int = 6,
        dim: int = 8,
        seed: int = 0,
        same_modality_mask: Sequence[int] = (),
        frontends: dict[str, FrontEndSpec] | None = None,
    ) -> Path:
        directory = tmp_path_factory.mktemp("bundle")
        rng = np.random.default_rng(seed)
        encoders = {}
        for modality in map(Modality, modalities):
            frontend = (frontends or {}).get(modality)
            width = frontend.pooled_dim if frontend else input_dim
            matrix = rng.standard_normal((width, dim)).astype(np.float32)
            (directory / f"{modality}.onnx").write_bytes(linear_graph(matrix))
            encoders[modality] = EncoderSpec(
                file=f"{modality}.onnx", input_dim=width, frontend=frontend
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
    onnx = pytest.importorskip("onnx")
    helper, numpy_helper, kinds = onnx.helper, onnx.numpy_helper, onnx.TensorProto
    width, dim = matrix.shape
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["features", "matrix"], ["product"]),
            helper.make_node("LpNormalization", ["product"], ["embedding"], axis=-1, p=2),
        ],
        "linear",
        [helper.make_tensor_value_info("features", kinds.FLOAT, ["batch", width])],
        [helper.make_tensor_value_info("embedding", kinds.FLOAT, ["batch", dim])],
        [numpy_helper.from_array(matrix, "matrix")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 9
    return bytes(model.SerializeToString())
