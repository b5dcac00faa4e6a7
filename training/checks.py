"""Checks of a features file before anything is learned from it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from crossmodal.errors import DataError, DivergenceError
from crossmodal.features import FeaturesFile, ModalityFeatures
from crossmodal.modality import Modality

SHOWN = 3  # examples in a message


def check_training_file(data: FeaturesFile) -> None:
    """Check what every fit and every figure takes for granted.

    Ids are of one split, no event has a side in test and another in training, training
    rows are of two classes or of none, and no row bears a class that training lacks.

    Raises:
        DataError: If one of these fails; the message names the field.
    """
    for modality, table in data.modalities.items():
        _check_ids(modality, table)
    _check_pairs(data)
    trained = {
        str(label)
        for table in data.modalities.values()
        for label in table.label[table.split == "train"]
        if label
    }
    if len(trained) == 1:
        raise DataError(
            "field label (lab_train): every labeled training row is of one class "
            f"({trained.pop()!r}), expected two or more"
        )
    for modality, table in data.modalities.items():
        _check_labels(modality, table, trained)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Put the file's name before errors that its content causes."""
    try:
        yield
    except DivergenceError:
        raise
    except DataError as error:
        if str(path) in str(error):
            raise
        raise DataError(f"{path}: {error}") from error


def _check_ids(modality: Modality, table: ModalityFeatures) -> None:
    split_of: dict[str, str] = {}
    for item, split in zip(table.id, table.split, strict=True):
        before = split_of.setdefault(item, split)
        if before != split:
            raise DataError(
                f"field id: {modality} item {item!r} is in {before} and in {split}; an "
                "item belongs to one split"
            )
    if len(split_of) < len(table):
        twice = len(table) - len(split_of)
        raise DataError(f"field id: {twice} {modality} rows repeat the id of another")


def _check_pairs(data: FeaturesFile) -> None:
    sides: dict[str, str] = {}
    for modality, table in data.modalities.items():
        for pair, split in zip(table.pair, table.split, strict=True):
            side = "test" if split == "test" else "train"
            if pair and sides.setdefault(pair, side) != side:
                raise DataError(
                    f"field pair: {pair!r} has rows in train and in test, of {modality} "
                    "among others; an event belongs to one side"
                )


def _check_labels(modality: Modality, table: ModalityFeatures, trained: set[str]) -> None:
    for split in ("val", "test"):
        found = {str(label) for label in table.label[table.split == split] if label}
        unknown = sorted(found - trained)
        if unknown:
            raise DataError(
                f"field label (lab_{split}): {split} has {modality} rows of "
                f"{', '.join(map(repr, unknown[:SHOWN]))}, which no training row is of "
                f"(those are {_listed(trained)})"
            )


def _listed(names: set[str]) -> str:
    ordered = sorted(names, key=lambda name: (not name.isdecimal(), len(name), name))
    if not ordered:
        return "unlabeled"
    if len(ordered) <= 2 * SHOWN:
        return ", ".join(ordered)
    return f"{', '.join(ordered[:SHOWN])}, … {ordered[-1]}"
