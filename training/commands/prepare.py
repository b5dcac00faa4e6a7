"""``prepare``: media or a known data set to one features file."""

from __future__ import annotations

import os
import shutil
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from crossmodal import console
from crossmodal.errors import ConfigError
from crossmodal.features import FeaturesFile, read_features, write_features
from crossmodal.frontends.catalog import parse_choices
from crossmodal.literature import LiteratureOptions
from crossmodal.sources import read_source
from training.datasets.catalog import MEDIA_KINDS, READY, detect
from training.datasets.media import prepare_media
from training.protocol.splits import with_test


class Dataset(StrEnum):
    """The kinds of source this build reads."""

    FOLDER = "folder"
    MANIFEST = "manifest"
    WIKIPEDIA = "wikipedia"
    RAVDESS = "ravdess"
    HDF5 = "hdf5"


class Quantization(StrEnum):
    """What uint8 features stand for."""

    YOUTUBE8M = "youtube8m"
    CMR = "cmr"


def prepare(
    source: Annotated[Path, typer.Argument(help="Media folder, manifest or data set.")],
    out: Annotated[Path, typer.Option(help="The features file to write (HDF5).")],
    frontend: Annotated[
        list[str] | None,
        typer.Option(help="MODALITY=NAME, as audio=yamnet; once per modality."),
    ] = None,
    dataset: Annotated[
        Dataset | None, typer.Option(help="Kind of source; detected if not given.")
    ] = None,
    quantization: Annotated[
        Quantization, typer.Option(help="What uint8 features of the literature encode.")
    ] = Quantization.YOUTUBE8M,
    accept_scaled: Annotated[
        bool, typer.Option(help="Take features that were scaled with test rows.")
    ] = False,
    keep_steps: Annotated[
        bool, typer.Option(help="Keep every step of a clip, for methods of sequences.")
    ] = False,
    workers: Annotated[int, typer.Option(min=1, help="Clips decoded at a time.")] = len(
        os.sched_getaffinity(0)
    ),
) -> None:
    """Turn labelled media, or a known data set's features, into a features file.

    Media need a front end per modality. A stopped run goes on where it was; a file that
    cannot be read is reported and skipped. Where no clip has a split, as in a folder, a
    quarter of each label is dealt to test.
    """
    kind = dataset.value if dataset else detect(source)
    if kind in MEDIA_KINDS:
        data = _from_media(source, out, frontend or [], workers, keep_steps=keep_steps)
    else:
        if frontend:
            raise ConfigError(f"{source}: {kind} brings ready features, drop --frontend")
        if keep_steps:
            raise ConfigError(f"{source}: {kind} brings ready features, drop --keep-steps")
        options = LiteratureOptions(
            quantization=quantization.value, accept_scaled=accept_scaled
        )
        data = read_features(source, options) if kind == "hdf5" else READY[kind](source)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_features(out, data)
    shutil.rmtree(_record(out), ignore_errors=True)
    for modality, table in data.modalities.items():
        console.note(f"{modality}: {len(table)} items, features {table.features.shape[1:]}")
    print(out)


def _from_media(
    source: Path, out: Path, choices: list[str], workers: int, *, keep_steps: bool
) -> FeaturesFile:
    if not choices:
        raise ConfigError(
            "media need front ends, as --frontend audio=logmel --frontend visual=framestats"
        )
    frontends = parse_choices(choices)
    items = read_source(source)
    wanted = sum(any(m in frontends for m in item.media) for item in items)
    name = source.parent.name if source.is_file() else source.name
    with console.progress("Preparing clips", wanted) as advance:
        prepared = prepare_media(
            items,
            frontends,
            name=name,
            record=_record(out),
            workers=workers,
            advance=advance,
            keep_steps=keep_steps,
        )
    if prepared.reused:
        console.note(f"{prepared.reused} clips were done before")
    for failure in prepared.failures:
        console.note(f"skipped {failure.item_id}: {failure.reason}")
    if prepared.failures:
        console.note(f"{len(prepared.failures)} of {wanted} clips could not be read")
    data = with_test(prepared.data)
    if data is not prepared.data:
        console.note(
            "no clip has a split: a quarter of each label was dealt to test, the rest to "
            "train; a manifest's column split decides it otherwise"
        )
    return data


def _record(out: Path) -> Path:
    return out.with_name(out.name + ".partial")
