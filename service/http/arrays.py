"""Arrays: numbers that a client sends, as JSON or ``.npy``, taken strictly.

Nothing is converted that was not a number: true, "1.5" and null are refused, not read
as 1, 1.5 and NaN.
"""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

from crossmodal.embeddings import LARGEST_NORM, SMALLEST_NORM, Embeddings
from service.problems import ProblemError

MAGIC = b"\x93NUMPY"
# The header is matched, not evaluated; numpy and its imitators write exactly this.
_HEADER = re.compile(
    rb"\{'descr': ?'([<>=|]?[fiu][1248])', ?'fortran_order': ?(True|False), "
    rb"?'shape': ?\((\d{1,9}),? ?(\d{1,9})?,?\),? ?\}[ \n]*"
)
OCTETS_TYPE = np.dtype("<f4")
_NUMBERS = {float, int}
# A unit row of float32 is this near to 1; it is kept bit for bit, so that a stored
# vector sent back scores as it does in the index.
_UNIT_WITHIN = 1e-6


def parse_vector(value: Any, dim: int) -> Embeddings:
    """Return an embedding scaled to unit norm, as (1, dim).

    Args:
        value: A list of numbers, or the bytes of float32 numbers, little-endian.
        dim: How many there must be.

    Raises:
        ProblemError: ``bad-vector`` if there are not ``dim`` numbers, or their norm is
            outside [1e-6, 1e6].
    """
    if type(value) is bytes:
        if len(value) != dim * OCTETS_TYPE.itemsize:
            raise _bad(f"expected {dim} float32 numbers of 4 bytes, little-endian")
        with np.errstate(invalid="ignore"):  # a signaling NaN is refused below like any
            row = np.frombuffer(value, dtype=OCTETS_TYPE).astype(np.float64)
    elif type(value) is list and len(value) == dim and _are_numbers(value):
        row = np.array(value, dtype=np.float64)
    else:
        raise _bad(f"expected a list of {dim} numbers")
    if np.abs(row).max() > LARGEST_NORM:  # the square of a larger one may overflow
        raise _bad(f"the norm is above {LARGEST_NORM:g}")
    norm = math.sqrt(row.dot(row))
    if not SMALLEST_NORM <= norm <= LARGEST_NORM:
        raise _bad(f"the norm is outside [{SMALLEST_NORM:g}, {LARGEST_NORM:g}]")
    if abs(norm - 1) > _UNIT_WITHIN:
        row /= norm
    unit: Embeddings = row.astype(np.float32)[None, :]
    return unit


def parse_features(value: Any) -> np.ndarray:
    """Return features sent as a list of numbers or a list of equally long such lists.

    Raises:
        ProblemError: ``bad-vector`` if it is neither.
    """
    rows = value if type(value) is list and value and type(value[0]) is list else [value]
    for row in rows:
        if (
            type(row) is not list
            or not row
            or len(row) != len(rows[0])
            or not _are_numbers(row)
        ):
            raise _bad("expected a list of numbers, or equally long lists of numbers")
    array = np.array(value, dtype=np.float64)
    return array


def parse_npy(data: bytes | bytearray) -> np.ndarray:
    """Return the array of a ``.npy`` file of one or two dimensions of plain numbers.

    The size that the header claims is compared with the bytes at hand before anything
    is allocated; nothing in the file is evaluated or unpickled.

    Raises:
        ProblemError: ``bad-vector`` if it is anything else.
    """
    view = memoryview(data)
    if bytes(view[:6]) != MAGIC or len(view) < 12 or view[6] not in (1, 2, 3):
        raise _bad(
            "expected a .npy file; numbers in JSON stand in a JSON body, as features"
        )
    width = 2 if view[6] == 1 else 4
    start = 8 + width
    end = start + int.from_bytes(view[8:start], "little")
    match = _HEADER.fullmatch(bytes(view[start : min(end, start + 1024)]))
    if match is None or end > len(view):
        raise _bad("expected a .npy file of plain numbers in one or two dimensions")
    shape = tuple(int(size) for size in match.groups()[2:] if size is not None)
    dtype = np.dtype(match[1].decode())
    if math.prod(shape) * dtype.itemsize != len(view) - end or 0 in shape:
        raise _bad("the .npy file is empty or not as long as its header says")
    flat = np.frombuffer(view[end:], dtype=dtype)
    return flat.reshape(shape, order="F" if match[2] == b"True" else "C")


def _are_numbers(values: list[Any]) -> bool:
    return _NUMBERS.issuperset(map(type, values))


def _bad(detail: str) -> ProblemError:
    return ProblemError("bad-vector", detail)
