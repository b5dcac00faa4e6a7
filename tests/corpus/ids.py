"""Ids, metadata and counts: what names nothing, and what is too much."""

from __future__ import annotations

import json
from typing import Any

from tests.corpus.case import Case, json_body

FIELD, LOST = "invalid-field", "not-found"
VECTOR = [1.0, 0, 0, 0, 0, 0, 0, 0]


def cases() -> list[Case]:
    """Return 18 cases, none of which stores anything."""
    return [*_counts(), *_ids(), *_metadata()]


def _counts() -> list[Case]:
    return [
        json_body(f"k {k}", json.dumps({"vector": VECTOR, "k": k}), FIELD)
        for k in (-1, 0, 2**31, 1.5, "ten")
    ]


def _item(metadata: Any) -> str:
    return json.dumps({"vectors": {"audio": VECTOR}, "metadata": metadata})


def _ids() -> list[Case]:
    paths = {
        "slash": "a%2fb",
        "dots": "%2e%2e",
        "nul": "a%00b",
        "line ends": "a%0d%0aX-Canary:%201",
        "long": "x" * 65,
        "not utf-8": "%ff",
    }
    filtered = {"must": [{"field": "id", "eq": "' OR 1=1 --"}, {"field": "x'); DROP"}]}
    return [
        *(
            json_body(f"id {n}", _item({}), FIELD, LOST, path=f"/items/{p}", method="PUT")
            for n, p in paths.items()
        ),
        json_body("id traversal", '{"id": "../items.db"}', FIELD),
        json_body("id 1 MiB", json.dumps({"id": "x" * (1 << 20)}), FIELD),
        json_body("id null", '{"id": "i00\\u0000"}', FIELD),
        json_body("filter text", json.dumps({"vector": VECTOR, "filter": filtered}), FIELD),
    ]


def _metadata() -> list[Case]:
    deep = _item("DEEP").replace('"DEEP"', '{"a":' * 1000 + "1" + "}" * 1000)
    nine = _item("DEEP").replace('"DEEP"', '{"a":' * 9 + "1" + "}" * 9)

    def put(name: str, text: str, *codes: str) -> Case:
        return json_body(f"metadata {name}", text, *codes, path="/items/new", method="PUT")

    return [
        put("1 MiB", _item({"a": "x" * (1 << 20)}), FIELD),
        put("depth 1,000", deep, "malformed-request", FIELD),
        put("depth 9", nine, FIELD),
    ]
