"""TensorFlow Lite networks: one input array in, one named tensor out."""

from __future__ import annotations

import warnings
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np

from crossmodal.errors import FrontEndError
from crossmodal.frontends.weights import WeightsFile, read_weights


class TfliteNetwork:
    """A network that is loaded when first run; safe to share between threads.

    An interpreter serves one call at a time. Each running call takes an idle one or
    opens another, so there are as many as calls ever ran at once. Each uses one thread.
    """

    def __init__(
        self,
        weights: WeightsFile,
        place: Path,
        *,
        input_shape: tuple[int, ...],
        input_dtype: type[np.generic],
        output: str,
    ) -> None:
        """Describe the network; nothing is read yet.

        Args:
            weights: The pinned file.
            place: The file, or the directory searched for it.
            input_shape: Shape of the array the network takes, the batch of one included.
            input_dtype: Its type.
            output: Name of the tensor to return; it may be an inner one.
        """
        self._weights = weights
        self._place = place
        self._input_shape = input_shape
        self._input_dtype = np.dtype(input_dtype)
        self._output = output
        self._content: bytes | None = None
        self._idle: deque[_Interpreter] = deque()

    def run(self, batch: np.ndarray) -> np.ndarray:
        """Return the output tensor as float32, dequantized by the file's own scale.

        Raises:
            FrontEndError: If weights or runtime are missing, or the file is another
                network than described.
        """
        try:
            interpreter = self._idle.pop()
        except IndexError:
            interpreter = self._open()
        try:
            return interpreter.run(batch)
        finally:
            self._idle.append(interpreter)

    def _open(self) -> _Interpreter:
        if self._content is None:
            self._content = read_weights(self._weights, self._place)
        interpreter = _Interpreter(self._content, self._output)
        got = (interpreter.input_shape, interpreter.input_dtype)
        if got != (self._input_shape, self._input_dtype):
            raise FrontEndError(
                f"{self._weights.file_name} should take {self._input_dtype} of shape "
                f"{self._input_shape}, but takes {got[1]} of shape {got[0]}"
            )
        return interpreter


class _Interpreter:
    """One interpreter with its input and output tensors at hand."""

    def __init__(self, content: bytes, output: str) -> None:
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise FrontEndError(
                "pretrained front ends need the package ai-edge-litert: install the extra "
                "'frontends', as in pip install '.[frontends]'"
            ) from error
        with warnings.catch_warnings():
            # It warns that keeping inner tensors costs memory; an embedding is one.
            warnings.filterwarnings("ignore", message=".*preserve_all_tensors.*")
            self._interpreter: Any = Interpreter(
                model_content=content,
                num_threads=1,
                experimental_preserve_all_tensors=True,
            )
        self._interpreter.allocate_tensors()
        taken = self._interpreter.get_input_details()[0]
        self.input_shape = tuple(int(size) for size in taken["shape"])
        self.input_dtype = np.dtype(taken["dtype"])
        self._input = taken["index"]
        given = [
            tensor
            for tensor in self._interpreter.get_tensor_details()
            if tensor["name"] == output
        ]
        if len(given) != 1:
            raise FrontEndError(
                f"expected one tensor {output!r} in the network, got {len(given)}"
            )
        self._output = given[0]["index"]
        self._scale, self._zero_point = given[0]["quantization"]

    def run(self, batch: np.ndarray) -> np.ndarray:
        self._interpreter.set_tensor(self._input, batch)
        self._interpreter.invoke()
        raw = self._interpreter.get_tensor(self._output)
        if self._scale == 0.0:
            return np.asarray(raw, dtype=np.float32)
        steps = raw.astype(np.float32) - np.float32(self._zero_point)
        return np.asarray(steps * np.float32(self._scale))
