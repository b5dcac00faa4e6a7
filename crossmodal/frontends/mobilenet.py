"""MobileNet: picture embeddings of a network trained on ImageNet's classes.

Source:
    Howard et al. 2017, arXiv:1704.04861; MobileNetV1 1.0 224, quantized, the classifier
    removed, as published in google-coral/test_data.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from crossmodal.frontends.checks import require_frames
from crossmodal.frontends.frontend import Features, FrontEndSpec, Pooled
from crossmodal.frontends.pooling import mean_rows
from crossmodal.frontends.tflite import TfliteNetwork
from crossmodal.frontends.weights import WeightsFile
from crossmodal.media.tracks import Track, TrackRequest, VisualRequest
from crossmodal.modality import Modality

SIDE = 224  # pixels
FPS = 1.0
REQUEST = VisualRequest(fps=FPS, height=SIDE, width=SIDE)
DIM = 1024
EMBEDDING = "MobilenetV1/Logits/AvgPool_1a/AvgPool"

WEIGHTS = WeightsFile(
    frontend="mobilenet",
    file_name="mobilenet_v1_1.0_224_quant_embedding_extractor.tflite",
    sha256="f409ef4f73fcbb9667841965623c5c8524aac33d41b9bf5f3667161fb4a76319",
    size_bytes=3_251_736,
    url=(
        "https://raw.githubusercontent.com/google-coral/test_data/"
        "104342d2d3480b3e66203073dac24f4e2dbb4c41/"
        "mobilenet_v1_1.0_224_quant_embedding_extractor.tflite"
    ),
    license="Apache-2.0",
)


class Mobilenet:
    """Pictures to 1024 activations each, one per second; pooled by mean.

    A still picture gives a single row. Activations are dequantized with the scale and
    zero point in the file.
    """

    def __init__(self, weights_place: Path) -> None:
        """Describe it; the weights are read when the first clip comes."""
        self.request: TrackRequest = REQUEST
        self.spec = FrontEndSpec(
            name="mobilenet",
            version=1,
            modality=Modality.VISUAL,
            dim=DIM,
            pooled_dim=DIM,
            step_s=1 / FPS,
            settings={
                "fps": FPS,
                "height": SIDE,
                "width": SIDE,
                "tensor": EMBEDDING,
                "kernels": "xnnpack",
                "pooling": "mean",
            },
            weights_sha256=WEIGHTS.sha256,
        )
        self._network = TfliteNetwork(
            WEIGHTS,
            weights_place,
            input_shape=(1, SIDE, SIDE, 3),
            input_dtype=np.uint8,
            output=EMBEDDING,
        )

    def extract(self, track: Track) -> Features:
        """Return one row per frame.

        Raises:
            FrontEndError: If weights or runtime are missing.
            ShapeError: If the track is no frames of 224x224.
            NoTrackError: If it holds no frame.
        """
        frames = require_frames(track, REQUEST)
        rows = [self._network.run(frame[None]).reshape(1, DIM) for frame in frames.pixels]
        return np.concatenate(rows)

    def pool(self, features: Features) -> Pooled:
        """Return the mean row.

        Raises:
            ShapeError: If the width is not 1024 or there is no row.
        """
        return mean_rows(features, DIM)
