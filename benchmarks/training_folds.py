"""Methods on folds of a training split: what an idea may be judged by.

``python -m benchmarks training_folds FILE --methods a,b`` drops the test rows, deals the
others into folds that keep groups and pairs whole, and compares. The test split stays out,
so that trying ideas does not wear it off.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from crossmodal.errors import CrossmodalError, DataError
from crossmodal.features import FeaturesFile, read_features, write_features
from training.commands.compare import TableFormat, show
from training.compare.comparison import compare
from training.compare.request import CompareRequest, parse_entries

OUT = Path("var/bench/training_folds")


def without_test(data: FeaturesFile) -> FeaturesFile:
    """Return the rows that may be learned from, as one split to deal anew.

    Raises:
        DataError: If there are none.
    """
    modalities = {}
    for modality, table in data.modalities.items():
        kept = table.take(table.split != "test")
        if not len(kept):
            raise DataError(f"{data.name}: every {modality} row is of the test split")
        split = np.full(len(kept), "train", dtype=object)
        modalities[modality] = replace(kept, split=split)
    return FeaturesFile(data.name, modalities)


def main(arguments: Sequence[str]) -> None:
    """Compare the methods on the folds and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks training_folds")
    parser.add_argument("data", type=Path, help="features file")
    parser.add_argument("--methods", default="earshot,posterior_product")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=1)
    asked = parser.parse_args(arguments)
    try:
        data = without_test(read_features(asked.data))
        OUT.mkdir(parents=True, exist_ok=True)
        path = OUT / f"{asked.data.stem}.h5"
        write_features(path, data)
        request = CompareRequest(
            data=path,
            entries=parse_entries(asked.methods, "tuned"),
            overrides={},
            seeds=tuple(range(asked.seeds)),
            folds=asked.folds,
        )
        show(compare(request, OUT / asked.data.stem), TableFormat.TABLE)
    except CrossmodalError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(sys.argv[1:])
