"""Arrays from clients: what is a number, what is a vector, what is a .npy file."""

from __future__ import annotations

import io
import math
import struct
from typing import Any

import numpy as np
import pytest

from service.http.arrays import parse_features, parse_npy, parse_vector
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


def octets(*numbers: float) -> bytes:
    return struct.pack(f"<{len(numbers)}f", *numbers)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        octets(*GOOD)[:-1],
        octets(*GOOD) + b"\0",
        octets(*GOOD[:3]),
        octets(*GOOD, 0.5),
        struct.pack("<4d", *GOOD),
        bytes(16),
        octets(math.nan, 0.5, 0.5, 0.5),
        b"\x01\x00\xa0\x7f" + octets(0.5, 0.5, 0.5),  # a signaling NaN
        octets(math.inf, 0, 0, 0),
        octets(-math.inf, math.inf, 0, 0),
        octets(1e-45, 0, 0, 0),
        octets(3e38, 3e38, 3e38, 3e38),
    ],
)
def test_octets_that_are_no_vector_are_refused(value: bytes) -> None:
    with pytest.raises(ProblemError, match=r"expected 4 float32|norm") as caught:
        parse_vector(value, 4)
    assert caught.value.code == "bad-vector"


def test_octets_are_the_same_vector_as_the_numbers_they_stand_for() -> None:
    rng = np.random.default_rng(0)
    for scale in (1.0, 1e-5, 3e4):
        row = (scale * rng.standard_normal(8)).astype(np.float32)
        sent = parse_vector(row.astype("<f4").tobytes(), 8)
        assert (sent == parse_vector(row.tolist(), 8)).all()
    little, big = octets(1, 2, 3, 4), struct.pack(">4f", 1, 2, 3, 4)
    assert parse_vector(little, 4)[0].tolist() == parse_vector([1, 2, 3, 4], 4)[0].tolist()
    with pytest.raises(ProblemError, match="norm"):  # read the other way they are tiny
        parse_vector(big, 4)


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
