"""JSON and vectors: numbers that are none, texts that are no JSON, arrays that lie."""

from __future__ import annotations

import io
import json

import numpy as np

from tests.corpus.case import END, OK, SEARCH, Case, form, json_body, part

BAD, VECTOR, FIELD = "malformed-request", "bad-vector", "invalid-field"
WIDTH = 8  # of the collection that is asked


def cases() -> list[Case]:
    """Return 30 cases."""
    return [*_vectors(), *_texts(), *_arrays()]


def _vectors() -> list[Case]:
    def listed(*values: str) -> str:
        return f'{{"vector": [{", ".join(values)}]}}'

    zeros = ["0"] * (WIDTH - 1)
    given = {
        "NaN": (listed("NaN", *zeros), BAD),
        "Infinity": (listed("-Infinity", *zeros), BAD),
        "1e999": (listed("1e999", *zeros), BAD),
        "1e39": (listed("1e39", *zeros), VECTOR),
        "1e-45": (listed("1e-45", *zeros), VECTOR),
        "zero": (listed("0", *zeros), VECTOR),
        "dim 0": (listed(), VECTOR),
        "dim 1": (listed("1"), VECTOR),
        "one too few": (listed(*["1"] * (WIDTH - 1)), VECTOR),
        "one too many": (listed(*["1"] * (WIDTH + 1)), VECTOR),
        "a million": (listed(*["1"] * 1_000_000), VECTOR),
        "nested": (listed(f"[{', '.join(['1'] * WIDTH)}]"), VECTOR),
        "strings": (listed(*['"1"'] * WIDTH), VECTOR),
        "bools": (listed(*["true"] * WIDTH), VECTOR),
        "nulls": (listed(*["null"] * WIDTH), VECTOR),
        "huge int": (listed(str(10**400), *zeros), BAD, VECTOR),
        "base64 junk": ('{"vector": "!!AAAA"}', VECTOR),
    }
    return [json_body(f"vector {name}", *rest) for name, rest in given.items()]


def _texts() -> list[Case]:
    vector = json.dumps([1.0] * WIDTH)
    return [
        json_body("json depth", b"[" * 100_000, BAD),
        json_body("json deep value", b'{"a":' * 100 + b"1" + b"}" * 100, BAD),
        json_body("json same key", f'{{"vector": [], "vector": {vector}}}', OK),
        json_body("json surrogate", b'{"id": "\\ud800"}', BAD),
        json_body("json bad utf-8", b'{"id": "\xff"}', BAD),
        json_body("json utf-16", '{"id": "i00"}'.encode("utf-16"), BAD),
        json_body("json trailing", b'{"id": "i00"} x', BAD),
    ]


def _npy(descr: str, shape: str, data: bytes) -> bytes:
    head = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    head += b" " * (-(len(head) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + data


def _arrays() -> list[Case]:
    pickled = io.BytesIO()
    np.save(pickled, np.array([{"canary": 1}], dtype=object), allow_pickle=True)
    arrays = {
        "pickle": pickled.getvalue(),
        "huge": _npy("'<f4'", f"({10**18},)", bytes(64)),
        "empty huge": _npy("'<f4'", f"(0, {10**18})", b""),
        "negative": _npy("'<f4'", "(-1, 8)", bytes(64)),
        "code": _npy("'<f4'", "__import__('os').getpid()", bytes(64)),
        "NaN": _npy("'<f4'", "(1, 8)", np.full(8, np.nan, "<f4").tobytes()),
    }
    return [
        form(f"npy {name}", part("features", body) + END, VECTOR, path=SEARCH)
        for name, body in arrays.items()
    ]
