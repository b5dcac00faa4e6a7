"""What a service holds, compared by id and by bytes with what was acknowledged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import httpx
import numpy as np

from crossmodal.embeddings import Embeddings
from tests.service.kills.clients import (
    MODALITIES,
    History,
    Version,
    clip_of,
    is_clip,
    served_model,
    vectors_of,
)

EmbedClip = Callable[[str, bytes], Embeddings]


def examine(
    url: str,
    history: History,
    base: Mapping[str, Any],
    embed_clip: EmbedClip | None = None,
) -> tuple[list[str], dict[str, Version]]:
    """Return what is wrong with what a service holds, and the version of each id.

    Args:
        url: The service, to which nobody writes.
        history: What it was told.
        base: The items that it held from the beginning, as it told them then.
        embed_clip: Embeds a clip by the model of an id, to look at clips' vectors too.
    """
    with httpx.Client(base_url=url, timeout=240) as http:
        items = dict(stored(http))
        wrong = [
            f"{i} of the beginning is gone or changed"
            for i in base
            if items.get(i) != base[i]
        ]
        found: dict[str, Version] = {
            i: item["metadata"].get("version") for i, item in items.items() if i not in base
        }
        for item_id, version in found.items():
            if item_id not in history.possible:
                wrong.append(f"{item_id} was never sent")
            elif version not in history.possible[item_id]:
                wrong.append(
                    f"{item_id} is {version}, expected {history.possible[item_id]}"
                )
        for item_id, versions in history.possible.items():
            if item_id not in found and None not in versions:
                wrong.append(f"{item_id} is lost; it was acknowledged as {versions}")
        seq = http.get("/collection").json()["view_seq"]
        if seq < history.last_seq:
            wrong.append(f"the view is of {seq}, {history.last_seq} was acknowledged")
        model = served_model(http)
        shown = {i: _modalities(i, v, history, model) for i, v in found.items()}
        wrong += [
            f"{i} is searched by {items[i]['modalities']}, expected {list(expected)}"
            for i, expected in shown.items()
            if sorted(items[i]["modalities"]) != list(expected)
        ]
        whole = {i: v for i, v in found.items() if len(shown[i]) == len(MODALITIES)}
        wrong += _vectors(http, whole)
        wrong += _media(http, found)
        wrong += _galleries(http, sorted([*base, *found]), items)
        if embed_clip is not None:
            wrong += _clips(http, found, partial(embed_clip, model))
    return wrong, found


def stored(http: httpx.Client) -> Iterator[tuple[str, dict[str, Any]]]:
    """Walk through every stored item."""
    cursor: str | None = ""
    while cursor is not None:
        query = {"limit": "50"} | ({"cursor": cursor} if cursor else {})
        page = http.get("/items", params=query).json()
        for item in page["items"]:
            yield item["id"], item
        cursor = page["next_cursor"]


def _modalities(
    item_id: str, version: Version, history: History, model: str
) -> Sequence[str]:
    """Return where an item is to be found while a model is served."""
    if version is None or is_clip(item_id, version):
        return MODALITIES[:1]
    made_by = history.made_by.get((item_id, version), model)
    return MODALITIES if made_by == model else ()


def _vectors(http: httpx.Client, found: Mapping[str, Version]) -> Iterator[str]:
    """Search for every vector that should be there: it is first, with these bytes."""
    wanted = [
        (item_id, modality, number, row)
        for item_id, version in found.items()
        if version is not None and not is_clip(item_id, version)
        for modality in MODALITIES
        for number, row in enumerate(vectors_of(item_id, version, modality))
    ]
    other = {"audio": "visual", "visual": "audio"}
    for start in range(0, len(wanted), 200):
        part = wanted[start : start + 200]
        searches = [
            {
                "direction": f"{other[modality]}2{modality}",
                "vector": row.tolist(),
                "k": 1,
                "with_vector": True,
                "group_by": "segment",
            }
            for _, modality, _, row in part
        ]
        replies = http.post("/search/batch", json={"searches": searches}).json()["results"]
        for (item_id, modality, number, row), reply in zip(part, replies, strict=True):
            (hit,) = reply["body"]["results"]
            same = np.array_equal(np.array(hit["vector"], dtype=np.float32), row)
            span = {"start": float(number), "end": number + 1.0}
            if hit["id"] != item_id or not same or hit["segment"] != span:
                yield f"{item_id}: its {modality} vector {number} is not what was sent"


def _media(http: httpx.Client, found: Mapping[str, Version]) -> Iterator[str]:
    for item_id, version in found.items():
        if version is None:
            continue
        reply = http.get(f"/media/{item_id}")
        if not is_clip(item_id, version):
            if reply.status_code != 404:
                yield f"{item_id} has media that were never sent"
        elif reply.status_code != 200 or reply.content != clip_of(item_id, version):
            yield f"{item_id} has lost its media"


def _clips(
    http: httpx.Client, found: Mapping[str, Version], embed: Callable[[bytes], Embeddings]
) -> Iterator[str]:
    """Compare the vector of each clip with what the model served makes of it."""
    body = {"vector": [1.0, *[0.0] * 7], "k": 1000, "with_vector": True}
    reply = http.post("/search/visual2audio", json=body).json()
    vectors = {hit["id"]: hit["vector"] for hit in reply["results"]}
    for item_id, version in found.items():
        if version is not None and is_clip(item_id, version) and item_id in vectors:
            expected = embed(clip_of(item_id, version))
            if not np.allclose(vectors[item_id], expected, atol=1e-5):
                yield f"the vector of {item_id} is not what the model makes of the clip"


def _galleries(
    http: httpx.Client, ids: list[str], items: Mapping[str, Any]
) -> Iterator[str]:
    """Search for everything: each item is there once, in each gallery it belongs to."""
    for modality in MODALITIES:
        body = {"vector": [1.0, *[0.0] * 7], "k": 1000}
        other = "visual" if modality == "audio" else "audio"
        reply = http.post(f"/search/{other}2{modality}", json=body).json()
        there = [i for i in ids if modality in items[i]["modalities"]]
        if sorted(hit["id"] for hit in reply["results"]) != there:
            yield f"a search of all {modality} misses, repeats or invents items"
