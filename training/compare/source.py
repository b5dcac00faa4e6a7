"""The source: one features file, cut for every job as the protocol has it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from crossmodal.faults import naming
from crossmodal.features import read_features
from training.checks import check_scored, check_training_file
from training.data import TrainingData, class_names, training_data
from training.protocol.folds import with_fold
from training.protocol.splits import with_validation

VALIDATION_SEED = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The rows a job fits, chooses and scores on."""

    train: TrainingData
    validation: TrainingData
    scored: TrainingData


class Source:
    """Reads a features file once and keeps the last cut, which jobs in a row share.

    The validation part is drawn by a fixed seed, so that seeds differ in training alone
    and every method chooses on the same rows.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.data = read_features(path)
        self._cut: tuple[object, Parts] | None = None

    def parts(
        self, split: str = "test", fold: int | None = None, folds: int | None = None
    ) -> Parts:
        """Return the rows of the data's own split, or of a fold.

        Raises:
            DataError: If a split is missing, or a group cannot stay on one side.
        """
        wanted = (split, fold, folds)
        if self._cut is None or self._cut[0] != wanted:
            self._cut = None  # room for the next
            with naming(self._path):
                self._cut = wanted, self._parts(*wanted)
        return self._cut[1]

    def _parts(self, split: str, fold: int | None, folds: int | None) -> Parts:
        data = self.data
        if fold is not None and folds is not None:
            data = with_fold(data, folds, fold)
        check_training_file(data)
        data = with_validation(data, seed=VALIDATION_SEED)
        classes = class_names(data.of_split("train"))
        check_scored(data, split)
        train, validation = (training_data(data, s, classes) for s in ("train", "val"))
        scored = training_data(data, split, classes)
        return Parts(train=train, validation=validation, scored=scored)
