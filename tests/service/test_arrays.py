"""Arrays from clients: what is a number, what is a vector, what is a .npy file."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

from service.arrays import parse_features, parse_npy, parse_vector
from service.problems import ProblemError

GOOD = [0.5, -0.5, 0.5, 0.5]


def npy(array: np.ndarray, **how: Any) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, array, **how)
    return file.getvalue()


@pytest.mark.parametrize(
    "value",
    [
        None,
        "0.5",
        {},
        [],
        GOOD[:3],
        [*GOOD, 0.1],
        [True, 0.5, 0.5, 0.5],
        ["0.5", 0.5, 0.5, 0.5],
        [None, 0.5, 0.5, 0.5],
        [[0.5], 0.5, 0.5, 0.5],
        [0, 0, 0, 0],
        [1e-45, 0, 0, 0],
        [1e39, 0, 0, 0],
        [1e308, 1e308, 1e308, 1e308],
        [-1e7, 0, 0, 0],
        [2**63, 1, 1, 1],
    ],
)
def test_what_is_no_vector_is_refused(value: Any) -> None:
    with pytest.raises(ProblemError, match=r"expected|norm") as caught:
        parse_vector(value, 4)
    assert caught.value.code == "bad-vector"


def test_a_unit_vector_is_kept_and_another_scaled() -> None:
    unit = np.array(GOOD, dtype=np.float32)
    assert (parse_vector(unit.astype(float).tolist(), 4)[0] == unit).all()
    assert parse_vector([3, 0, 4, 0], 4)[0].tolist() == pytest.approx([0.6, 0, 0.8, 0])


@pytest.mark.parametrize("value", [[], [[]], [[1, 2], [3]], [1, [2]], [["1"]], 3, [None]])
def test_ragged_or_empty_features_are_refused(value: Any) -> None:
    with pytest.raises(ProblemError, match="expected a list"):
        parse_features(value)


@pytest.mark.parametrize("dtype", ["<f2", "<f4", ">f8", "<i4", "|u1"])
@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_npy_is_read_as_numpy_wrote_it(dtype: str, version: tuple[int, int]) -> None:
    for array in (np.arange(6).astype(dtype), np.arange(6).reshape(2, 3).astype(dtype)):
        assert (parse_npy(npy(array, version=version)) == array).all()
        if array.ndim == 2:
            assert (parse_npy(npy(np.asfortranarray(array))) == array).all()


def lying(header: str, data: bytes = b"") -> bytes:
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


HEADER = "{'descr': '%s', 'fortran_order': False, 'shape': %s, }"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x93NUMPY",
        b"PK\x03\x04" + bytes(100),
        npy(np.arange(4.0))[:-1],
        npy(np.arange(4.0)) + b"x",
        npy(np.array([{}], dtype=object), allow_pickle=True),
        npy(np.array([True])),
        npy(np.array([1j])),
        npy(np.zeros((1, 1, 1))),
        npy(np.array(1.0)),
        npy(np.zeros((0, 3))),
        npy(np.zeros(2, dtype=[("a", "f4")])),
        lying(HEADER % ("<f4", "(0, 1000000000000000000)")),
        lying(HEADER % ("<f4", "(999999999, 999999999)")),
        lying(HEADER % ("<f4", "__import__('os').getpid()")),
        lying("(" * 100),
        b"\x93NUMPY\x02\x00\xff\xff\xff\xff{}",
    ],
)
def test_hostile_npy_is_refused(data: bytes) -> None:
    with pytest.raises(ProblemError, match=r"\.npy") as caught:
        parse_npy(data)
    assert caught.value.code == "bad-vector"
