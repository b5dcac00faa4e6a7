"""Evaluation of 5,621 clips, the size of VEGAS' test split, in both directions.

Everything that the card holds is measured: figures, curves, confusion, hubness. The
process that evaluates is started for that alone, so its peak memory is the
evaluation's: the interpreter, numpy, scipy and the embeddings included.
"""

import json
import multiprocessing
import resource
import statistics
import sys
import time

import numpy as np
import scipy

from crossmodal.embeddings import normalize
from crossmodal.machine import machine
from crossmodal.metrics.card import Judged, evaluate
from crossmodal.modality import Modality

CLIPS, DIM, CLASSES = 5_621, 128, 10
REPEATS = 5


def main() -> None:
    """Print the median time of both directions and the peak memory."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(json.dumps(pool.apply(measure)))


def measure() -> dict[str, float | int | str]:
    """Evaluate several times and return seconds and peak memory."""
    judged = embedded_clips()
    before = peak_memory_mb()
    seconds, cpu_seconds = [], []
    for _ in range(REPEATS):
        print("evaluating", file=sys.stderr)
        started, cpu_started = time.perf_counter(), time.process_time()
        for report in evaluate(judged).values():
            report.summary()
            report.curves()
        seconds.append(time.perf_counter() - started)
        cpu_seconds.append(time.process_time() - cpu_started)
    return {
        "clips": CLIPS,
        "dim": DIM,
        "seconds": statistics.median(seconds),
        "seconds_fastest": min(seconds),
        "cpu_seconds": statistics.median(cpu_seconds),
        "peak_memory_mb": peak_memory_mb(),
        "memory_before_mb": before,
        "cores": machine()["cores"],
        "python": machine()["python"],
        "numpy": np.__version__,
        "scipy": scipy.__version__,
    }


def embedded_clips(clips: int = CLIPS) -> dict[Modality, Judged]:
    """Return noisy embeddings of classes, every clip with its pair in both modalities."""
    rng = np.random.default_rng(0)
    label = rng.integers(0, CLASSES, clips)
    center = rng.standard_normal((CLASSES, DIM))
    ids = [f"clip{number}" for number in range(clips)]
    return {
        modality: Judged(
            ids,
            normalize(
                (center[label] + 3 * rng.standard_normal((clips, DIM))).astype(np.float32)
            ),
            [f"class{number}" for number in label],
            ids,
        )
        for modality in (Modality.AUDIO, Modality.VISUAL)
    }


def peak_memory_mb() -> float:
    """Return the most memory this process has held, in MB of 10^6 bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


if __name__ == "__main__":
    main()
