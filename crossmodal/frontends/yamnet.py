"""YAMNet: sound embeddings of a network trained on AudioSet's 521 event classes.

Source:
    Plakal & Ellis, YAMNet, tensorflow/models: research/audioset/yamnet. Its waveform to
    embedding part, converted to TensorFlow Lite with 8-bit weights.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float32

from crossmodal.frontends.checks import require_waveform
from crossmodal.frontends.frontend import Features, FrontEndSpec, Pooled
from crossmodal.frontends.pooling import mean_rows
from crossmodal.frontends.tflite import TfliteNetwork
from crossmodal.frontends.weights import WeightsFile
from crossmodal.media.tracks import AudioRequest, Track, TrackRequest
from crossmodal.modality import Modality

SAMPLE_RATE_HZ = 16_000
REQUEST = AudioRequest(SAMPLE_RATE_HZ)
WINDOW = 15_600  # samples: 0.975 s
HOP = WINDOW // 2
DIM = 1024
EMBEDDING = "yamnet_frames/global_average_pooling2d/Mean"

WEIGHTS = WeightsFile(
    frontend="yamnet",
    file_name="yamnet_jaskaran197.tflite",
    sha256="469be6a3421cbc52cf97e9f2f966cba984198e8e7af9854d68b3e3ebb1e04194",
    size_bytes=4_078_224,
    url=(
        "https://raw.githubusercontent.com/Jaskaran197/Speaker-Detector/"
        "4ec29b6938f1051fe36b46786f8d486d8b74a38e/yamnet.tflite"
    ),
    license="Apache-2.0",
)


class Yamnet:
    """Sound to 1024 activations per window of 0.975 s, every 0.4875 s; pooled by mean."""

    def __init__(self, weights_place: Path) -> None:
        """Describe it; the weights are read when the first clip comes."""
        self.request: TrackRequest = REQUEST
        self.spec = FrontEndSpec(
            name="yamnet",
            version=1,
            modality=Modality.AUDIO,
            dim=DIM,
            pooled_dim=DIM,
            step_s=HOP / SAMPLE_RATE_HZ,
            settings={
                "sample_rate_hz": SAMPLE_RATE_HZ,
                "window": WINDOW,
                "hop": HOP,
                "last_window": "left out unless whole or alone",
                "tensor": EMBEDDING,
                "kernels": "xnnpack",
                "pooling": "mean",
            },
            weights_sha256=WEIGHTS.sha256,
        )
        self._network = TfliteNetwork(
            WEIGHTS,
            weights_place,
            input_shape=(1, WINDOW),
            input_dtype=np.float32,
            output=EMBEDDING,
        )

    def extract(self, track: Track) -> Features:
        """Return one row per window.

        Raises:
            FrontEndError: If weights or runtime are missing.
            ShapeError: If the track is no waveform at 16 kHz.
            NoTrackError: If it holds no sample.
        """
        waveform = require_waveform(track, REQUEST)
        rows = [self._network.run(window[None, :]) for window in windows(waveform.samples)]
        return np.concatenate(rows)

    def pool(self, features: Features) -> Pooled:
        """Return the mean row.

        Raises:
            ShapeError: If the width is not 1024 or there is no row.
        """
        return mean_rows(features, DIM)


def windows(samples: Float32[np.ndarray, "time"]) -> Float32[np.ndarray, "windows window"]:
    """Cut the sound into windows that overlap by half.

    Convention: only whole windows count, so up to half a window at the end is left out;
    a sound shorter than a window is padded with zeros to one. On animal sounds this gave
    better retrieval than a last window padded with zeros.
    """
    padded = np.zeros(max(WINDOW, len(samples)), dtype=np.float32)
    padded[: len(samples)] = samples
    return np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
