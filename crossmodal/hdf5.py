"""HDF5 fields, read with care: a file from elsewhere may point outside itself."""

from __future__ import annotations

import h5py
import numpy as np
from jaxtyping import Float64, Int64

from crossmodal.faults import fault


def field(group: h5py.Group, key: str) -> h5py.Dataset:
    """Return a dataset of the group that lies in this very file.

    Raises:
        DataError: If it is missing, a group, or a link to another file.
    """
    name = f"{group.name.strip('/')}/{key}".lstrip("/")
    link = group.get(key, getlink=True)
    if link is None:
        raise fault(name, "is missing", "every file of this layout has it")
    if not isinstance(link, h5py.HardLink):
        raise fault(name, "is a link", "store the data itself in this file")
    found = group[key]
    if not isinstance(found, h5py.Dataset):
        raise fault(name, "is a group", "expected an array")
    if found.is_virtual or found.external:
        raise fault(name, "keeps its data in another file", "store it in this one")
    return found


def numbers(
    dataset: h5py.Dataset, key: str, *, quantization: str = "youtube8m"
) -> np.ndarray:
    """Return features as float32, (items, dim) or (items, time, dim).

    Args:
        dataset: Floats, or whole numbers; uint8 is taken as quantized.
        key: Its name, for errors.
        quantization: ``youtube8m`` or ``cmr``.

    Raises:
        DataError: If it holds no numbers, has another rank, or no rows.
    """
    if dataset.dtype.kind not in "fiu":
        raise fault(key, f"holds {dataset.dtype}", "expected numbers")
    if dataset.ndim not in (2, 3):
        expected = "expected (items, dim) or (items, time, dim)"
        raise fault(key, f"has shape {dataset.shape}", expected)
    if 0 in dataset.shape:
        raise fault(key, f"is empty, {dataset.shape}", "expected rows and columns")
    array: np.ndarray = dataset[()]
    if array.dtype == np.uint8:
        array = dequantized(array, quantization)
    with np.errstate(over="ignore"):  # what overflows is reported as not finite
        single: np.ndarray = array.astype(np.float32, copy=False)
    within_row = tuple(range(1, single.ndim))
    finite = np.isfinite(single).all(axis=within_row)
    if not finite.all():
        row = int(np.flatnonzero(~finite)[0])
        found = f"row {row} is not finite (NaN, infinite or beyond float32)"
        raise fault(key, found, "compute that row again or leave it out everywhere")
    return single


def dequantized(array: np.ndarray, quantization: str) -> np.ndarray:
    """Return what uint8 features stood for.

    Args:
        array: The quantized features.
        quantization: ``youtube8m``: that release's rule for values in [-2, 2]; ``cmr``:
            (q - 128) / 256, as in that project's code.
    """
    q = array.astype(np.float32)
    if quantization == "cmr":
        return (q - np.float32(128)) / np.float32(256)
    return q * np.float32(4 / 255) + np.float32(4 / 512 - 2)


def strings(dataset: h5py.Dataset, key: str) -> list[str]:
    """Return a column of texts, or of whole numbers as texts.

    Raises:
        DataError: If it is no column, or holds something else.
    """
    if dataset.ndim != 1:
        raise fault(key, f"has shape {dataset.shape}", "expected one column, (items,)")
    if h5py.check_string_dtype(dataset.dtype) is not None:
        try:
            return list(dataset.asstr()[()])
        except UnicodeDecodeError as error:
            raise fault(key, "holds text in another code", "store it as UTF-8") from error
    if dataset.dtype.kind in "iu":
        return [str(value) for value in dataset[()].tolist()]
    raise fault(key, f"holds {dataset.dtype}", "expected text or whole numbers")


def seconds(dataset: h5py.Dataset, key: str) -> Float64[np.ndarray, "items"]:
    """Return a column of times in seconds; NaN means not known.

    Raises:
        DataError: If it is no column of numbers.
    """
    if dataset.dtype.kind not in "fiu" or dataset.ndim != 1:
        found = f"holds {dataset.dtype} {dataset.shape}"
        raise fault(key, found, "expected one column of seconds, (items,)")
    times: np.ndarray = dataset[()].astype(np.float64)
    return times


def whole_numbers(dataset: h5py.Dataset, key: str) -> Int64[np.ndarray, "items"]:
    """Return a column of whole numbers.

    Raises:
        DataError: If it is no such column.
    """
    if dataset.dtype.kind not in "iu" or dataset.ndim != 1:
        found = f"holds {dataset.dtype} {dataset.shape}"
        raise fault(key, found, "expected one column of whole numbers, (items,)")
    column: np.ndarray = dataset[()].astype(np.int64)
    return column
