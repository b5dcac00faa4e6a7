"""Evaluation of 100,000 clips against 100,000, in one direction: ten billion scores.

Whole rankings, ties as ties, in blocks: memory is what the embeddings take and little
more. Seconds per billion scores carry over to galleries of other sizes.
"""

import json
import multiprocessing
import sys
import time

from benchmarks.evaluation import CLASSES, DIM, embedded_clips, peak_memory_mb
from crossmodal.machine import machine
from crossmodal.metrics.card import evaluate_direction
from crossmodal.modality import Direction, Modality

CLIPS = 100_000
MEMORY_MB = 1_500.0


def main() -> None:
    """Print the time of one direction and the peak memory."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(json.dumps(pool.apply(measure)))


def measure() -> dict[str, float | int | bool]:
    """Evaluate once and return seconds and peak memory."""
    judged = embedded_clips(CLIPS)
    before = peak_memory_mb()
    print(f"evaluating {CLIPS:,} x {CLIPS:,} for minutes", file=sys.stderr)
    started, cpu_started = time.perf_counter(), time.process_time()
    direction = Direction(Modality.AUDIO, Modality.VISUAL)
    report = evaluate_direction(
        direction, judged[direction.query], judged[direction.gallery]
    )
    report.summary()
    report.curves()
    seconds = time.perf_counter() - started
    return {
        "clips": CLIPS,
        "dim": DIM,
        "classes": CLASSES,
        "seconds": seconds,
        "cpu_seconds": time.process_time() - cpu_started,
        "seconds_per_billion_scores": seconds / (CLIPS**2 / 1e9),
        "peak_memory_mb": peak_memory_mb(),
        "memory_before_mb": before,
        "memory_bar_mb": MEMORY_MB,
        "memory_met": peak_memory_mb() <= MEMORY_MB,
        "cores": machine()["cores"],
    }


if __name__ == "__main__":
    main()
