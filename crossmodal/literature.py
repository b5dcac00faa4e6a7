"""The literature's features files: six HDF5 fields, row i of both modalities one clip.

Fields ``audio_train``, ``visual_train``, ``lab_train`` and the same for ``test``. Public
files differ in the rest, and all of these are read: features (items, dim) or (items, time,
dim), float or uint8; labels one-hot, (items,) or (items, 1), whole or float, from 0 or 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from crossmodal.errors import ConfigError, DataError
from crossmodal.faults import fault
from crossmodal.feature_tables import FeaturesFile, mean_over_time, table
from crossmodal.hdf5 import field, numbers
from crossmodal.modality import Modality
from crossmodal.scaling import find_scaling

MODALITIES = (Modality.AUDIO, Modality.VISUAL)
SPLITS = ("train", "test")
QUANTIZATIONS = ("youtube8m", "cmr")
LARGEST_CLASS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LiteratureOptions:
    """How to take what these files leave open.

    Attributes:
        quantization: How uint8 features encode numbers: ``youtube8m``, the rule of that
            release for [-2, 2], or ``cmr``, (q - 128) / 256. They differ by an affine map.
        accept_scaled: Take features that were scaled with test rows all the same.
    """

    quantization: str = "youtube8m"
    accept_scaled: bool = False

    def __post_init__(self) -> None:
        if self.quantization not in QUANTIZATIONS:
            raise ConfigError(
                f"quantization must be one of {', '.join(QUANTIZATIONS)}, got "
                f"{self.quantization!r}"
            )


DEFAULT = LiteratureOptions()


def is_literature(file: h5py.File) -> bool:
    """Whether the file has a field that only this layout has."""
    return any(f"{name}_{s}" in file for name in (*MODALITIES, "lab") for s in SPLITS)


def read_literature(
    file: h5py.File, path: Path, options: LiteratureOptions = DEFAULT
) -> FeaturesFile:
    """Read an open file of this layout; classes are named by their number, from 0.

    Raises:
        DataError: If a field is missing, misshapen, not finite or contradicts another, or
            the features were scaled with test rows and that is not accepted.
    """
    labels = _labels(file)
    splits = [split for split in SPLITS for _ in labels[split]]
    ids = [f"{split}_{row}" for split in SPLITS for row in range(len(labels[split]))]
    modalities = {}
    for modality in MODALITIES:
        parts = {split: _features(file, modality, split, options) for split in SPLITS}
        for split, part in parts.items():
            if len(part) != len(labels[split]):
                raise fault(
                    f"{modality}_{split}",
                    f"has {len(part)} rows, lab_{split} {len(labels[split])}",
                    "row i of both must be one clip",
                )
        if parts["train"].shape[1:] != parts["test"].shape[1:]:
            trained, tested = (part.shape[1:] for part in parts.values())
            raise fault(
                f"{modality}_test",
                f"has rows of shape {tested}, {modality}_train {trained}",
                "compute both in the same way",
            )
        if not options.accept_scaled:
            _refuse_scaled(modality, parts)
        modalities[modality] = table(
            np.concatenate(list(parts.values())),
            id=ids,
            label=np.concatenate(list(labels.values())),
            split=splits,
            pair=ids,
        )
    return FeaturesFile(path.stem, modalities)


def write_literature(path: Path, data: FeaturesFile) -> None:
    """Write a paired data set in this layout, classes as numbers from 0 by sorted name.

    Raises:
        DataError: If the modalities are not audio and visual, their rows are not the same
            clips in the same order, or some have fewer steps than others.
    """
    if set(data.modalities) != set(MODALITIES):
        raise DataError(f"{data.name}: this layout takes audio and visual")
    audio, visual = (data.modalities[modality] for modality in MODALITIES)
    for column in ("pair", "label", "split"):
        if list(getattr(audio, column)) != list(getattr(visual, column)):
            raise DataError(f"{data.name}: the modalities' rows differ in {column}")
    for modality, rows in data.modalities.items():
        if (rows.length < rows.steps).any():
            raise DataError(
                f"{data.name}: this layout cannot say how many steps of its own an item "
                f"has, and those of {modality} differ"
            )
    number = {name: n for n, name in enumerate(sorted(set(audio.label)))}
    draft = path.with_name(path.name + ".new")
    with h5py.File(draft, "w") as file:
        for split in SPLITS:
            rows = audio.split == split
            labels = np.array([number[name] for name in audio.label[rows]], dtype=np.int64)
            file[f"lab_{split}"] = labels
            for modality in MODALITIES:
                file[f"{modality}_{split}"] = data.modalities[modality].features[rows]
    draft.replace(path)


def _features(
    file: h5py.File, modality: Modality, split: str, options: LiteratureOptions
) -> np.ndarray:
    key = f"{modality}_{split}"
    return numbers(field(file, key), key, quantization=options.quantization)


def _labels(file: h5py.File) -> dict[str, np.ndarray]:
    read = {s: _class_numbers(field(file, f"lab_{s}"), f"lab_{s}") for s in SPLITS}
    train, test = (set(read[split][0].tolist()) for split in SPLITS)
    for split, found in zip(SPLITS, (train, test), strict=True):
        if not found:
            raise fault(f"lab_{split}", "has no rows", "both splits need some")
    if len(train) < 2:
        only = f"holds one class only ({train.pop()})"
        raise fault("lab_train", only, "expected two or more")
    first = min(train | test)
    unseen = sorted(test - train)
    if unseen:
        raise fault(
            "lab_test",
            f"holds class {unseen[0]}, which lab_train does not",
            "leave its rows out, or train on some",
        )
    gap = next((number for number in range(1, max(train)) if number not in train), None)
    if any(one_hot for _, one_hot in read.values()):
        first = 0  # columns number the classes, used or not
    elif first > 1 or gap is not None:
        raise fault(
            "lab_train",
            f"holds class {max(train)} but none {1 if gap is None else gap}",
            "number the classes from 0 or 1 without a gap",
        )
    return {split: column - first for split, (column, _) in read.items()}


def _class_numbers(dataset: h5py.Dataset, key: str) -> tuple[np.ndarray, bool]:
    """Return the class numbers as they stand, and whether they came one-hot."""
    if dataset.dtype.kind not in "fiub" or dataset.ndim not in (1, 2):
        raise fault(
            key,
            f"holds {dataset.dtype} {dataset.shape}",
            "expected class numbers, (items,) or (items, 1), or one-hot rows",
        )
    array = dataset[()].astype(np.float64)
    if array.ndim == 2 and array.shape[1] > 1:
        if not (np.isin(array, (0, 1)).all() and (array.sum(axis=1) == 1).all()):
            raise fault(
                key,
                f"has {array.shape[1]} columns but is not one-hot",
                "expected a single 1 in each row",
            )
        return array.argmax(axis=1).astype(np.int64), True
    flat = array.reshape(-1)
    wrong = ~((flat == np.round(flat)) & (flat >= 0) & (flat <= LARGEST_CLASS))
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise fault(
            key,
            f"row {row} is {flat[row]:g}",
            "expected class numbers from 0 or 1 up, or one-hot rows",
        )
    return flat.astype(np.int64), False


def _refuse_scaled(modality: Modality, parts: dict[str, np.ndarray]) -> None:
    train, test = (p if p.ndim == 2 else mean_over_time(p) for p in parts.values())
    found = find_scaling(train, test)
    if found is not None and found.leaks:
        raise fault(
            f"{modality}_train",
            f"is with {modality}_test {found}, so training would see the test split",
            "use the file they were made from, or convert this one on purpose: "
            "python -m training prepare FILE --accept-scaled --out NEW",
        )
