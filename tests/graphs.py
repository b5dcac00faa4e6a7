"""Small ONNX graphs that stand in for encoders, made from their matrix."""

from __future__ import annotations

import numpy as np
import pytest


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
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())
