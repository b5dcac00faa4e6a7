"""Faults of a features file: one wording, which names the file, the field and the remedy.

A field is named as the file has it: ``audio/label``, and in the literature's layout
``lab_train``. Where a check cannot know the layout it names both.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from crossmodal.errors import DataError, DivergenceError
from crossmodal.modality import Modality


def fault(field: str, found: str, remedy: str) -> DataError:
    """Return the error of one field.

    Args:
        field: Its name.
        found: What is wrong with it, as the rest of a sentence.
        remedy: What was expected, or what to do.
    """
    return DataError(f"field {field}: {found}; {remedy}")


def field_of(modality: Modality, column: str, split: str | None = None) -> str:
    """Return a column's name in our layout, and in the literature's if it is there.

    Args:
        modality: Whose column.
        column: As our layout has it.
        split: The split it is about, if it is about one.
    """
    ours = f"{modality}/{column}"
    if split not in ("train", "test"):  # the literature's layout has no other
        return ours
    theirs = {"features": f"{modality}_{split}", "label": f"lab_{split}"}
    return f"{ours} ({theirs[column]})" if column in theirs else ours


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
