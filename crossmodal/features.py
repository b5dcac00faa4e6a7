"""Features files: HDF5 in our layout or the literature's.

Ours holds a group per modality with ``features`` (items, dim) or (items, time, dim),
``id``, ``label``, ``split``, ``pair``, ``group``, ``start``, ``end``, and the front end's
description as attributes. The literature's has ``audio_train``, ``visual_train``,
``lab_train`` and the same for ``test``; row i of both modalities is one clip.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from jaxtyping import Float32, Float64

from crossmodal.errors import DataError
from crossmodal.frontends.frontend import FrontEndSpec, parse_spec
from crossmodal.modality import Modality, parse_modality

Strings = np.ndarray
Rows = np.ndarray

FORMAT = 1
TEXTS = ("id", "label", "split", "pair", "group", "media")
TIMES = ("start", "end", "duration")
_TEXT = h5py.string_dtype("utf-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModalityFeatures:
    """One modality's items, row by row; empty strings mean not known.

    ``features`` is float32, (items, dim) or (items, time, dim). ``pair`` is equal for
    rows, also of other modalities, that show one event; ``group`` for rows that must
    stay on one side of a split. ``media`` is the sha256 of the file a row was computed
    from and ``duration`` the seconds of the stretch that was read, NaN if not known.
    """

    features: Float32[np.ndarray, "items *time dim"]
    id: Strings
    label: Strings
    split: Strings
    pair: Strings
    group: Strings
    start: Float64[np.ndarray, "items"]
    end: Float64[np.ndarray, "items"]
    media: Strings
    duration: Float64[np.ndarray, "items"]
    frontend: FrontEndSpec | None = None

    def __post_init__(self) -> None:
        count = len(self.features)
        for column in (*TEXTS, *TIMES):
            if len(getattr(self, column)) != count:
                raise DataError(
                    f"{column} has {len(getattr(self, column))} rows, features {count}"
                )
        if self.features.ndim not in (2, 3) or 0 in self.features.shape[1:]:
            raise DataError(
                "features must be (items, dim) or (items, time, dim), got "
                f"{self.features.shape}"
            )
        within_item = tuple(range(1, self.features.ndim))
        finite = np.isfinite(self.features).all(axis=within_item)
        if not finite.all():
            row = int(np.flatnonzero(~finite)[0])
            raise DataError(f"features of row {row} (id {self.id[row]}) are not finite")

    def __len__(self) -> int:
        return len(self.features)

    @property
    def pooled(self) -> Float32[np.ndarray, "items dim"]:
        """One row per item: the features, or their mean over time."""
        if self.features.ndim == 2:
            return self.features
        return mean_over_time(self.features)

    def take(self, rows: Rows) -> ModalityFeatures:
        """Return the rows selected by an index array or a mask, in that order."""
        columns = {
            column.name: getattr(self, column.name)[rows]
            for column in fields(self)
            if column.name != "frontend"
        }
        return ModalityFeatures(**columns, frontend=self.frontend)

    def of_split(self, split: str) -> ModalityFeatures:
        """Return the rows of one split; ``all`` returns every row."""
        return self if split == "all" else self.take(self.split == split)


def mean_over_time(
    features: Float32[np.ndarray, "*items time dim"],
) -> Float32[np.ndarray, "*items dim"]:
    """Return the mean over the time axis, summed in float64."""
    means: np.ndarray = features.mean(axis=-2, dtype=np.float64)
    return means.astype(np.float32)


@dataclass(frozen=True, slots=True)
class FeaturesFile:
    """A data set as features: one table per modality, and its name."""

    name: str
    modalities: Mapping[Modality, ModalityFeatures]

    def of_split(self, split: str) -> FeaturesFile:
        """Return the data set with only the rows of one split."""
        return FeaturesFile(
            self.name, {m: table.of_split(split) for m, table in self.modalities.items()}
        )


def write_features(path: Path, data: FeaturesFile) -> None:
    """Write our layout; the file appears only when it is whole."""
    draft = path.with_name(path.name + ".new")
    with h5py.File(draft, "w") as file:
        file.attrs["format"] = FORMAT
        file.attrs["name"] = data.name
        for modality, table in data.modalities.items():
            group = file.create_group(modality.value)
            group.create_dataset("features", data=table.features)
            for column in TEXTS:
                group.create_dataset(column, data=list(getattr(table, column)), dtype=_TEXT)
            for column in TIMES:
                group.create_dataset(column, data=getattr(table, column))
            if table.frontend is not None:
                group.attrs["frontend"] = json.dumps(asdict(table.frontend))
    draft.replace(path)


def read_features(path: Path) -> FeaturesFile:
    """Read a features file of either layout.

    Raises:
        DataError: If it is neither layout, or a field is missing, misshapen or not
            finite; the message names the file and the field.
    """
    try:
        with h5py.File(path, "r") as file:
            if "audio_train" in file or "lab_train" in file:
                return _read_literature(file, path)
            return _read_ours(file, path)
    except OSError as error:
        raise DataError(f"{path}: not a readable HDF5 file") from error
    except DataError as error:
        message = str(error)
        prefix = str(path)
        raise DataError(message if prefix in message else f"{path}: {message}") from error


def table(
    features: Float32[np.ndarray, "items *time dim"],
    *,
    id: Any,
    label: Any = None,
    split: Any = None,
    pair: Any = None,
    group: Any = None,
    start: Any = None,
    end: Any = None,
    media: Any = None,
    duration: Any = None,
    frontend: FrontEndSpec | None = None,
) -> ModalityFeatures:
    """Return one modality's table; columns left out are filled with not-known."""
    count = len(features)
    blank = np.full(count, "", dtype=object)

    def column(values: Any) -> Strings:
        return blank if values is None else np.array([str(v) for v in values], dtype=object)

    def seconds(values: Any, unknown: float) -> np.ndarray:
        if values is None:
            return np.full(count, unknown)
        return np.asarray(values, dtype=np.float64)

    return ModalityFeatures(
        features=np.ascontiguousarray(features, dtype=np.float32),
        id=column(id),
        label=column(label),
        split=column(split),
        pair=column(pair),
        group=column(group),
        start=seconds(start, 0.0),
        end=seconds(end, np.nan),
        media=column(media),
        duration=seconds(duration, np.nan),
        frontend=frontend,
    )


def _read_ours(file: h5py.File, path: Path) -> FeaturesFile:
    modalities = {}
    for name, group in file.items():
        if not isinstance(group, h5py.Group) or "features" not in group:
            raise DataError(
                f"field {name!r} is neither of this project's layout (a group per modality "
                "with 'features') nor of the literature's ('audio_train', 'lab_train', …)"
            )
        missing = {"id", "label", "split"} - set(group)
        if missing:
            raise DataError(f"{name}: missing field {', '.join(sorted(missing))}")
        columns = {column: group[column].asstr()[()] for column in TEXTS if column in group}
        times = {column: group[column][()] for column in TIMES if column in group}
        spec = group.attrs.get("frontend")
        modalities[parse_modality(name)] = table(
            _numbers(group["features"], f"{name}/features"),
            **columns,
            **times,
            frontend=None if spec is None else parse_spec(json.loads(spec)),
        )
    if not modalities:
        raise DataError("the file holds no modality")
    return FeaturesFile(str(file.attrs.get("name", path.stem)), modalities)


def _read_literature(file: h5py.File, path: Path) -> FeaturesFile:
    parts: dict[Modality, list[np.ndarray]] = {Modality.AUDIO: [], Modality.VISUAL: []}
    labels: list[np.ndarray] = []
    splits: list[str] = []
    for split in ("train", "test"):
        label_key = f"lab_{split}"
        if label_key not in file:
            raise DataError(f"missing field {label_key}")
        label = _class_numbers(file[label_key][()], label_key)
        for modality, arrays in parts.items():
            key = f"{modality}_{split}"
            if key not in file:
                raise DataError(f"missing field {key}")
            array = _numbers(file[key], key)
            if len(array) != len(label):
                raise DataError(
                    f"{key} has {len(array)} rows, {label_key} {len(label)}: row i of both "
                    "must be one clip"
                )
            arrays.append(array)
        labels.append(label)
        splits += [split] * len(label)
    classes = np.concatenate(labels)
    classes = classes - classes.min()
    ids = [f"{split}_{row}" for split, row in _numbered(splits)]
    modalities = {}
    for modality, arrays in parts.items():
        widths = {array.shape[1:] for array in arrays}
        if len(widths) > 1:
            raise DataError(
                f"{modality}_train and {modality}_test differ in shape: {sorted(widths)}"
            )
        modalities[modality] = table(
            np.concatenate(arrays), id=ids, label=classes, split=splits, pair=ids
        )
    return FeaturesFile(path.stem, modalities)


def _numbered(splits: list[str]) -> list[tuple[str, int]]:
    counts: dict[str, int] = {}
    numbered = []
    for split in splits:
        counts[split] = counts.get(split, -1) + 1
        numbered.append((split, counts[split]))
    return numbered


def _numbers(dataset: h5py.Dataset, key: str) -> np.ndarray:
    if not isinstance(dataset, h5py.Dataset) or dataset.dtype.kind not in "fiu":
        raise DataError(f"{key} must be numbers")
    if dataset.ndim not in (2, 3):
        raise DataError(f"{key} must have 2 or 3 dimensions, got {dataset.shape}")
    array: np.ndarray = dataset[()]
    if array.dtype == np.uint8:
        # the quantisation of the YouTube-8M release, for values in [-2, 2]
        array = array * (4.0 / 255.0) + 4.0 / 512.0 - 2.0
    return array.astype(np.float32)


def _class_numbers(array: np.ndarray, key: str) -> np.ndarray:
    if array.ndim == 2 and array.shape[1] > 1:
        sums = array.sum(axis=1)
        if not (np.isin(array, (0, 1)).all() and (sums == 1).all()):
            raise DataError(f"{key} has {array.shape[1]} columns but is not one-hot")
        numbers: np.ndarray = array.argmax(axis=1)
        return numbers
    flat = array.reshape(-1)
    if not np.isfinite(flat).all() or (flat != np.round(flat)).any() or (flat < 0).any():
        raise DataError(f"{key} must hold class numbers from 0 or 1 up, or one-hot rows")
    numbers = flat.astype(np.int64)
    return numbers
