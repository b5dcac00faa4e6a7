"""Directions: modalities and directions unknown, not served, or not in the file."""

from __future__ import annotations

import json

from tests.corpus.case import OK, Case, json_body, upload
from tests.corpus.clips import clip

VECTOR = json.dumps({"vector": [1.0, 0, 0, 0, 0, 0, 0, 0]})


def cases() -> list[Case]:
    """Return 8 cases."""
    unknown = "unknown-modality"
    listed = json.dumps({"direction": ["audio2visual"], "queries": []})
    stored = json.dumps({"stored": True, "directions": ["audio2text"]})
    return [
        json_body("direction unknown", VECTOR, unknown, path="/search/audio2smell"),
        json_body("direction case", VECTOR, unknown, path="/search/Audio2visual"),
        json_body("direction empty", VECTOR, unknown, path="/search/2"),
        json_body("direction list", listed, "invalid-field", path="/evaluate"),
        json_body("direction no encoder", '{"features": [1]}', unknown, path="/embed/text"),
        json_body("direction within", VECTOR, OK, path="/search/audio2audio"),
        upload(
            "direction no track",
            clip("silent mp4"),
            "no-usable-track",
            path="/search/audio2visual",
        ),
        json_body("direction stored", stored, unknown, path="/evaluate"),
    ]
