"""One method, fitted on a features file and scored on its test split, with the clock on.

Runs in a process of its own, whose peak memory is therefore the method's: interpreter,
torch and the features included; of a GPU, the most that torch held there. ``seconds`` is
what the method is answerable for, choosing settings, fitting and evaluating; exporting
the graphs stands beside it.
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.evaluation import peak_memory_mb
from crossmodal.features import read_features
from training.protocol.evaluate import evaluate_run
from training.run import FitRequest, fit

HEADLINE = "mean_average_precision"


def measure(
    data: Path, method: str, *, preset: str, seed: int, device: str = "cpu"
) -> dict[str, Any]:
    """Fit and evaluate a method; return seconds, peak memory and class mAP."""
    features = read_features(data)
    request = FitRequest(
        data=data, method=method, preset=preset, overrides={}, seed=seed, device=device
    )
    epochs: list[Any] = []
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        run = fit(request, features, Path(folder) / "run", epochs.append)
        fitted = time.perf_counter()
        evaluation = evaluate_run(run, features)
        summary = evaluation.summary()
        evaluated = time.perf_counter()
    train_s = run.config["train_seconds"]
    return {
        "method": method,
        "preset": preset,
        "seed": seed,
        "device": device,
        "seconds": train_s + evaluated - fitted,
        "train_seconds": train_s,
        "evaluate_seconds": evaluated - fitted,
        "export_seconds": fitted - started - train_s,
        "peak_memory_mb": peak_memory_mb(),
        "device_memory_mb": torch.cuda.max_memory_allocated() / 1e6
        if device == "cuda"
        else None,
        HEADLINE: {
            direction: found[HEADLINE] for direction, found in summary["directions"].items()
        },
        "epochs": sum("epoch" in record for record in epochs),
        "chosen": run.config["settings"],
    }


if __name__ == "__main__":
    path, name, chosen_preset, chosen_seed, place = sys.argv[1:]
    found = measure(
        Path(path), name, preset=chosen_preset, seed=int(chosen_seed), device=place
    )
    print(json.dumps(found))
