"""``export``: a run's encoders as a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crossmodal import console
from crossmodal.bundle import Bundle
from crossmodal.errors import ConfigError
from training.export import write_bundle
from training.model_card import NO_CONFIDENCE, model_card
from training.per_direction import open_runs
from training.protocol.confidence import run_confidences
from training.run import Run


def export(
    run: Annotated[Path, typer.Option(help="Run directory.")],
    out: Annotated[Path, typer.Option(help="Bundle directory to write.")],
) -> None:
    """Write a bundle: one graph per modality, compared with the checkpoint.

    What scores mean is fitted on the validation split of the run's own data, if those are
    still there. A run per direction gives a bundle per direction, in folders named so; each
    is marked as serving its direction alone.
    """
    for opened in open_runs(run):
        alone = opened.direction is None
        bundle = export_run(opened, out if alone else out / str(opened.direction))
        if not bundle.manifest.confidence:
            console.note(f"{NO_CONFIDENCE}; searches cannot take min_confidence")
        console.note(f"{opened.direction or ''} model id {bundle.model_id}".lstrip())
    print(out)


def export_run(run: Run, out: Path) -> Bundle:
    """Write and return the bundle of a run.

    Raises:
        ConfigError: If the method is for reports only.
        BundleError: If a graph differs from the checkpoint, or the folder is taken.
    """
    confidence = run_confidences(run)
    graphs = run.graphs()
    if not graphs:
        raise ConfigError(f"{run.config['method']} is for reports only and has no encoder")
    return write_bundle(
        out,
        graphs,
        run.towers(),
        dims=run.problem.dims,
        dim=run.config["dim"],
        sequences=run.card.sequences,
        method=run.config["method"],
        classes=run.classes,
        same_modality_mask=run.same_modality_mask,
        frontends=run.frontends,
        fit={
            key: run.config[key]
            for key in ("preset", "settings", "seed", "fit_split", "device", "dim")
        }
        | {"data": run.config["data"]["name"], "data_sha256": run.config["data"]["sha256"]},
        model_card=model_card(run, confidence),
        confidence=confidence,
        direction=run.direction,
    )
