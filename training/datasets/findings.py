"""Findings: what a features file is, held against what its data set should look like."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import h5py
import numpy as np

from crossmodal.errors import DataError
from crossmodal.features import FeaturesFile, read_features
from crossmodal.literature import LiteratureOptions
from crossmodal.modality import Modality
from crossmodal.scaling import find_scaling
from training.datasets.catalog import READY, detect
from training.datasets.shapes import SHAPES, SetShape

AVE15_CLIPS, AVE28_CLIPS = 1_955, 4_143
MOST_COPIES = 0.01  # of the test rows; Wikipedia itself has 3 in 693
KNOWN_WIDTHS = {
    128: "VGGish, or visual words",
    512: "VGG-19 pictures, as one paper's text (not its tables) has it",
    1024: "Inception V3 with PCA, YAMNet or MobileNet",
    2048: "Inception V3 without PCA",
    10_400: "SoundNet or I3D",
}


class Level(StrEnum):
    """How much a finding matters."""

    OK = "ok"
    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found, in plain words."""

    level: Level
    text: str


def check_file(path: Path, shapes: Sequence[SetShape]) -> list[Finding]:
    """Return what there is to say of a file, given what it may be.

    Args:
        path: A features file, or a data set's own files.
        shapes: What the data set may look like; at least one.
    """
    try:
        kind = detect(path)
        if kind == "hdf5":
            data = read_features(path, LiteratureOptions(accept_scaled=True))
        elif kind in READY:
            data = READY[kind](path)
        else:
            return [Finding(Level.PROBLEM, f"{path}: is no features file but a {kind}")]
    except DataError as error:
        return [Finding(Level.PROBLEM, str(error))]
    return [
        finding
        for look in (_sizes, _widths, _classes, _stored, _scaling, _copies, _order)
        for finding in look(_Subject(path, data, tuple(shapes)))
    ]


@dataclass(frozen=True, slots=True)
class _Subject:
    path: Path
    data: FeaturesFile
    shapes: tuple[SetShape, ...]

    @property
    def labels(self) -> np.ndarray:
        return next(iter(self.data.modalities.values())).label

    def counts(self) -> tuple[int, int]:
        """Return training (validation included) and test items of the first modality."""
        split = next(iter(self.data.modalities.values())).split
        test = int((split == "test").sum())
        return len(split) - test, test

    def nearest(self) -> SetShape:
        """Return the shape whose sizes, classes and widths agree in most points."""
        train, test = self.counts()
        classes = len(set(self.labels) - {""})

        def agreement(shape: SetShape) -> int:
            widths = sum(
                m in self.data.modalities and _width(self.data, m) == dim
                for m, dim in shape.dims.items()
            )
            return (
                4 * ((train, test) == (shape.train, shape.test))
                + 2 * (train + test == shape.items)
                + 2 * (classes == len(shape.classes))
                + widths
            )

        return max(self.shapes, key=agreement)


def _sizes(subject: _Subject) -> Iterator[Finding]:
    train, test = subject.counts()
    exact = [s for s in subject.shapes if (s.train, s.test) == (train, test)]
    have = f"{train:,} train + {test:,} test items"
    if exact:
        yield Finding(Level.OK, f"{have}: the sizes of {exact[0].name}")
        return
    expected = " or ".join(f"{s.train:,} + {s.test:,} ({s.name})" for s in subject.shapes)
    yield Finding(Level.PROBLEM, f"{have}; expected {expected}")
    total = train + test
    others = [s for s in SHAPES.values() if (s.train, s.test) == (train, test)]
    same = [s for s in subject.shapes if s.items == total]
    if others:
        yield Finding(Level.NOTE, f"these are the sizes of {others[0].name}")
    elif same:
        yield Finding(
            Level.NOTE,
            f"the total is that of {same[0].name}, so this is another split of the same "
            f"clips (one of five folds, say): name its {test:,} test items beside a score",
        )
    elif total in (AVE15_CLIPS, AVE28_CLIPS):
        name = "AVE-15" if total == AVE15_CLIPS else "AVE-28"
        yield Finding(Level.NOTE, f"{total:,} clips are those of {name}")


def _widths(subject: _Subject) -> Iterator[Finding]:
    shape = subject.nearest()
    for modality in sorted({*shape.dims, *subject.data.modalities}):
        expected = shape.dims.get(modality)
        if modality not in subject.data.modalities:
            yield Finding(Level.PROBLEM, f"no {modality} features; {shape.name} has them")
            continue
        width = _width(subject.data, modality)
        timed = subject.data.modalities[modality].features.ndim == 3
        steps = subject.data.modalities[modality].features.shape[1]
        form = f"{steps} steps of {width}" if timed else f"{width} wide"
        if width == expected:
            yield Finding(Level.OK, f"{modality} features are {form}")
        else:
            known = KNOWN_WIDTHS.get(width, "of a front end not known here")
            yield Finding(
                Level.PROBLEM,
                f"{modality} features are {form} ({known}); {shape.name} has "
                f"{expected or 'none'}",
            )
        if timed:
            yield Finding(
                Level.NOTE,
                f"{modality} features are sequences; most methods take their mean",
            )


def _classes(subject: _Subject) -> Iterator[Finding]:
    shape = subject.nearest()
    sizes = Counter(label for label in subject.labels if label)
    found, expected = len(sizes), len(shape.classes)
    if found == expected:
        largest, smallest = max(sizes.values()), min(sizes.values())
        yield Finding(
            Level.OK, f"{found} classes of {smallest:,} to {largest:,} items a modality"
        )
        return
    text = f"{found} classes; {shape.name} has {expected}"
    if {found, expected} == {15, 28}:
        text += (
            ": AVE-15 is a choice of 15 among AVE's 28 classes, an easier and smaller set; "
            "scores of the one say nothing about the other"
        )
    yield Finding(Level.PROBLEM, text)


def _stored(subject: _Subject) -> Iterator[Finding]:
    if not h5py.is_hdf5(subject.path):
        return
    quantized: list[str] = []

    def visit(name: str, item: h5py.Dataset | h5py.Group) -> None:
        if isinstance(item, h5py.Dataset) and item.dtype == np.uint8 and item.ndim > 1:
            if item.shape[1] > 1 and not name.startswith("lab"):
                quantized.append(name)

    with h5py.File(subject.path, "r") as file:
        file.visititems(visit)
    if quantized:
        yield Finding(
            Level.NOTE,
            f"{', '.join(quantized)}: quantized to uint8, read by the YouTube-8M rule; "
            "prepare --quantization cmr takes (q - 128) / 256 instead",
        )


def _scaling(subject: _Subject) -> Iterator[Finding]:
    for modality, rows in subject.data.modalities.items():
        test = rows.split == "test"
        found = find_scaling(rows.pooled[~test], rows.pooled[test])
        if found is not None:
            level = Level.PROBLEM if found.leaks else Level.NOTE
            reason = (
                "the test split took part in training; use the file this was made from"
                if found.leaks
                else "harmless, but the encoder will ask its queries for the same scaling"
            )
            yield Finding(level, f"{modality} features are {found}: {reason}")
        norms = np.linalg.norm(rows.pooled, axis=1)
        if np.abs(norms - 1).max(initial=0) < 1e-3:
            yield Finding(Level.NOTE, f"{modality} rows have unit norm already")
        constant = int((np.ptp(rows.pooled, axis=0) == 0).sum())
        if constant:
            yield Finding(Level.NOTE, f"{modality}: {constant} columns never vary")


def _copies(subject: _Subject) -> Iterator[Finding]:
    for modality, rows in subject.data.modalities.items():
        test = rows.split == "test"
        known = {row.tobytes() for row in rows.features[~test]}
        copies = sum(row.tobytes() in known for row in rows.features[test])
        if copies:
            few = copies <= MOST_COPIES * test.sum()
            yield Finding(
                Level.NOTE if few else Level.PROBLEM,
                f"{modality}: {copies:,} test rows equal a training row bit for bit",
            )


def _order(subject: _Subject) -> Iterator[Finding]:
    labels = subject.labels[next(iter(subject.data.modalities.values())).split == "train"]
    changes = int((labels[1:] != labels[:-1]).sum())
    if changes < 2 * len(set(labels)):
        yield Finding(
            Level.NOTE,
            "rows are sorted by class; training here shuffles, other code may not",
        )


def _width(data: FeaturesFile, modality: Modality) -> int:
    return int(data.modalities[modality].features.shape[-1])
