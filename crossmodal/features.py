"""Features files: HDF5 in our layout or the literature's.

Ours holds a group per modality with ``features`` (items, dim) or (items, time, dim),
``id``, ``label``, ``split``, ``pair``, ``group``, ``start``, ``end``, with a time axis
``length`` (how many of a row's steps are its own, from the first; all if left out), and
the front end's description as attributes. For the literature's see
``crossmodal.literature``.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import h5py
import numpy as np

from crossmodal.errors import DataError, ModalityError
from crossmodal.faults import fault, naming
from crossmodal.feature_tables import (
    TEXTS,
    TIMES,
    FeaturesFile,
    ModalityFeatures,
    check_lengths,
    mean_over_time,
    table,
)
from crossmodal.frontends.frontend import FrontEndSpec, parse_spec
from crossmodal.hdf5 import field, numbers, seconds, strings, whole_numbers
from crossmodal.items import SPLITS
from crossmodal.literature import (
    DEFAULT,
    LiteratureOptions,
    is_literature,
    read_literature,
)
from crossmodal.modality import parse_modality

__all__ = [
    "FeaturesFile",
    "ModalityFeatures",
    "mean_over_time",
    "read_features",
    "table",
    "write_features",
]

FORMAT = 1
NEEDED = ("features", "id", "label", "split")
READING_ERRORS = (OSError, RuntimeError, KeyError, ValueError, TypeError, MemoryError)
"""What h5py and numpy raise of a file that is cut short, damaged or made to mislead."""
_TEXT = h5py.string_dtype("utf-8")


def write_features(path: Path, data: FeaturesFile) -> None:
    """Write our layout; the file appears only when it is whole."""
    draft = path.with_name(path.name + ".new")
    with h5py.File(draft, "w") as file:
        file.attrs["format"] = FORMAT
        file.attrs["name"] = data.name
        for modality, rows in data.modalities.items():
            group = file.create_group(modality.value)
            group.create_dataset("features", data=rows.features)
            for column in TEXTS:
                group.create_dataset(column, data=list(getattr(rows, column)), dtype=_TEXT)
            for column in TIMES:
                group.create_dataset(column, data=getattr(rows, column))
            if rows.timed:
                group.create_dataset("length", data=rows.length)
            if rows.frontend is not None:
                group.attrs["frontend"] = json.dumps(asdict(rows.frontend))
    draft.replace(path)


def read_features(path: Path, options: LiteratureOptions = DEFAULT) -> FeaturesFile:
    """Read a features file of either layout.

    Args:
        path: The file.
        options: How to take what the literature's layout leaves open.

    Raises:
        DataError: If it is neither layout, a field is missing, misshapen or not finite, or
            fields contradict each other; the message names the file and the field.
    """
    try:
        with naming(path), h5py.File(path, "r") as file:
            if is_literature(file):
                return read_literature(file, path, options)
            return _read_ours(file, path)
    except READING_ERRORS as error:
        if not path.exists():
            raise DataError(f"{path}: no such file") from error
        cause = " ".join(str(error).split())
        raise DataError(
            f"{path}: not a readable HDF5 file ({cause}); copy or make it again"
        ) from error


def _read_ours(file: h5py.File, path: Path) -> FeaturesFile:
    version = file.attrs.get("format", FORMAT)
    if not np.array_equal(version, FORMAT):
        raise DataError(
            f"attribute format: is {version}; this build reads {FORMAT}, prepare it again"
        )
    modalities = {}
    for name in file:
        group = file.get(name) if _is_own(file, name) else None
        if not isinstance(group, h5py.Group) or "features" not in group:
            raise fault(
                name,
                "belongs to no known layout",
                "expected this project's, a group per modality with 'features', or the "
                "literature's, 'audio_train', 'lab_train' and so on",
            )
        try:
            modality = parse_modality(name)
        except ModalityError as error:
            raise fault(name, "is no modality", str(error)) from error
        modalities[modality] = _read_table(group, name)
    if not modalities:
        raise DataError("the file holds no field; expected a group per modality")
    return FeaturesFile(str(file.attrs.get("name", path.stem)), modalities)


def _read_table(group: h5py.Group, name: str) -> ModalityFeatures:
    for column in NEEDED:
        field(group, column)
    features = numbers(field(group, "features"), f"{name}/features")
    texts = {
        column: strings(field(group, column), f"{name}/{column}")
        for column in TEXTS
        if column in group
    }
    times = {
        column: seconds(field(group, column), f"{name}/{column}")
        for column in TIMES
        if column in group
    }
    own = {
        column: whole_numbers(field(group, column), f"{name}/{column}")
        for column in ("length",)
        if column in group
    }
    lengths = {column: len(values) for column, values in texts.items()}
    lengths |= {column: len(values) for column, values in times.items()}
    lengths |= {column: len(values) for column, values in own.items()}
    for column, length in lengths.items():
        if length != len(features):
            raise fault(
                f"{name}/{column}",
                f"has {length} rows, {name}/features {len(features)}",
                "row i of both must be one item",
            )
    unknown = set(texts["split"]) - {*SPLITS, ""}
    if unknown:
        raise fault(
            f"{name}/split",
            f"holds {min(unknown)!r}",
            f"expected {', '.join(SPLITS)} or nothing",
        )
    if "length" in own:
        check_lengths(f"{name}/length", own["length"], features)
    return table(features, **texts, **times, **own, frontend=_frontend(group, name))


def _frontend(group: h5py.Group, name: str) -> FrontEndSpec | None:
    text = group.attrs.get("frontend")
    if text is None:
        return None
    try:
        return parse_spec(json.loads(text))
    except (ValueError, TypeError, KeyError, ModalityError) as error:
        raise DataError(
            f"attribute {name}.frontend: is no front end's description; prepare the file "
            "again, or delete the attribute of features made elsewhere"
        ) from error


def _is_own(file: h5py.File, name: str) -> bool:
    return isinstance(file.get(name, getlink=True), h5py.HardLink)
