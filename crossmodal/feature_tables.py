"""Feature tables: one modality's items row by row, and a data set of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64, Int64

from crossmodal.faults import fault
from crossmodal.frontends.catalog import restore_frontend
from crossmodal.frontends.frontend import FrontEndSpec
from crossmodal.modality import Modality

Strings = np.ndarray
Rows = np.ndarray

TEXTS = ("id", "label", "split", "pair", "group", "media")
TIMES = ("start", "end", "duration")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModalityFeatures:
    """One modality's items, row by row; empty strings mean not known.

    ``features`` is float32, (items, dim) or (items, time, dim). ``pair`` is equal for
    rows, also of other modalities, that show one event; ``group`` for rows that must
    stay on one side of a split. ``media`` is the sha256 of the file a row was computed
    from and ``duration`` the seconds of the stretch that was read, NaN if not known.
    ``length`` is how many of a row's steps are its own, the rest being padding at its end;
    1 where features have no time axis.
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
    length: Int64[np.ndarray, "items"]
    frontend: FrontEndSpec | None = None

    def __post_init__(self) -> None:
        count = len(self.features)
        for column in (*TEXTS, *TIMES, "length"):
            if len(getattr(self, column)) != count:
                found = f"has {len(getattr(self, column))} rows, features {count}"
                raise fault(column, found, "row i of both must be one item")
        if self.features.ndim not in (2, 3) or 0 in self.features.shape[1:]:
            expected = "expected (items, dim) or (items, time, dim)"
            raise fault("features", f"has shape {self.features.shape}", expected)
        within_item = tuple(range(1, self.features.ndim))
        finite = np.isfinite(self.features).all(axis=within_item)
        if not finite.all():
            row = int(np.flatnonzero(~finite)[0])
            found = f"row {row} (id {self.id[row]}) is not finite"
            raise fault("features", found, "compute that row again or leave it out")
        check_lengths("length", self.length, self.features)

    def __len__(self) -> int:
        return len(self.features)

    @property
    def steps(self) -> int:
        """How many steps the time axis has, padding included; 1 without one."""
        return self.features.shape[1] if self.timed else 1

    @property
    def timed(self) -> bool:
        """Whether features are (items, time, dim)."""
        return self.features.ndim == 3

    def item(self, row: int) -> Float32[np.ndarray, "*time dim"]:
        """Return the features of one row, without padding."""
        own: np.ndarray = self.features[row]
        return own[: self.length[row]] if self.timed else own

    @property
    def pooled(self) -> Float32[np.ndarray, "items dim"]:
        """One row per item: the features, or what the front end makes of their steps.

        Features that came without a front end are averaged over time.

        Raises:
            FrontEndError: If this build's front end is not the one that made the steps.
        """
        if not self.timed:
            return self.features
        if self.frontend is None and (self.length == self.steps).all():
            return mean_over_time(self.features)
        pool = restore_frontend(self.frontend).pool if self.frontend else mean_over_time
        return np.stack([pool(self.item(row)) for row in range(len(self))])

    def sequences(self, split: str) -> Float32[np.ndarray, "items time dim"] | None:
        """Return the steps of every item of a split, NaN where it has none any more.

        A copy, and the only one made; None without a time axis.
        """
        if not self.timed:
            return None
        chosen = np.ones(len(self), dtype=bool) if split == "all" else self.split == split
        steps: np.ndarray = self.features[chosen]
        steps[np.arange(self.steps) >= self.length[chosen][:, None]] = np.nan
        return steps

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


def check_lengths(field: str, length: np.ndarray, features: np.ndarray) -> None:
    """Check that every row has steps of its own, and no more than there are.

    Raises:
        DataError: If one does not; the message names the field and the row.
    """
    steps = features.shape[1] if features.ndim == 3 else 1
    wrong = (length < 1) | (length > steps)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        expected = f"expected 1 to {steps}, the steps that features have"
        raise fault(field, f"row {row} is {length[row]}", expected)


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
    length: Any = None,
    frontend: FrontEndSpec | None = None,
) -> ModalityFeatures:
    """Return one modality's table; columns left out are filled with not-known.

    Without ``length``, every row has as many steps as there are.
    """
    count = len(features)
    steps = features.shape[1] if features.ndim == 3 else 1
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
        length=np.full(count, steps) if length is None else np.asarray(length, np.int64),
        frontend=frontend,
    )
