"""A small service with known answers, for the page to ask; what it was asked is kept."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response

from service.routes.reference import render

LABELS = ("bird", "drum", "rain", "siren", "<b>wave</b>")
SPLIT_SIZES = {"train": 20, "test": 10}
ALL_DIRECTIONS = ("audio2visual", "visual2audio", "audio2audio", "visual2visual")
INTERFACE = {
    "info": {"title": "Earshot", "version": "1"},
    "paths": {
        "/items": {"get": {"summary": "List `items`", "responses": {"200": {}}}},
        "/evaluate": {"post": {"summary": "Judge", "responses": {"429": {}}}},
    },
}


@dataclass
class FakeService:
    """The HTTP interface with known answers; set a field to change what it does next."""

    clips: list[Path]
    directions: tuple[str, ...] = ALL_DIRECTIONS
    key: str | None = None
    problem: dict[str, Any] | None = None
    found: int = 30
    sure: float | None = None  # confidence of the best result; None if the model is silent
    only_visual: frozenset[str] = frozenset()
    media_type: str = "image/png"  # videos cost much more to show; a test asks for them
    asked: list[dict[str, Any]] = field(default_factory=list)
    base_url: str = ""

    def item(self, number: int) -> dict[str, Any]:
        """Return the item of that number as ``GET /items`` shows it."""
        item_id = f"clip-{number:02d}"
        both = item_id not in self.only_visual
        return {
            "id": item_id,
            "label": LABELS[number % len(LABELS)],
            "metadata": {},
            "modalities": ["audio", "visual"] if both else ["visual"],
            "media_url": f"/media/{item_id}",
            "media_type": self.media_type,
        }

    def ranking(self, direction: str, query: str) -> list[dict[str, Any]]:
        """Return the results that this query has, best first, all of them."""
        numbers = Random(f"{direction} {query}").sample(range(30), self.found)
        items = [self.item(number) for number in numbers]
        for item in items:
            del item["modalities"]
        return [
            {
                **item,
                "rank": rank,
                "score": round(0.95 - 0.05 * rank, 6),
                "confidence": None if self.sure is None else self.sure / rank,
                "segment": {"start": 0.5, "end": 1.5},
            }
            for rank, item in enumerate(items, 1)
        ]

    def evaluation(self) -> dict[str, Any]:
        """Return what ``POST /evaluate`` answers."""
        recall = [step / 40 for step in range(41)]

        def instance(direction: str, value: float) -> float | None:
            return None if direction in ALL_DIRECTIONS[2:] else value

        return {
            "directions": {
                direction: {
                    "mean_average_precision": 0.9 - 0.1 * at,
                    "mean_average_precision_without_own_pair": 0.88 - 0.1 * at,
                    "random_mean_average_precision": 0.2,
                    "recall_at_1": instance(direction, 0.4),
                    "recall_at_5": instance(direction, 0.7),
                    "recall_at_10": instance(direction, 0.8),
                    "median_rank": instance(direction, 2.0),
                    "mean_rank": instance(direction, 3.5),
                    "mean_reciprocal_rank": None
                    if direction in ALL_DIRECTIONS[2:]
                    else 0.55,
                    "queries": 30,
                    "gallery": 30,
                    "queries_without_relevant": 0,
                    "curves": {
                        "precision_recall": {
                            "recall": recall,
                            "precision": [1 - (0.3 + 0.15 * at) * r**2 for r in recall],
                        },
                        "precision_recall_11_point": [
                            1 - (0.3 + 0.15 * at) * (tenth / 10) ** 2 for tenth in range(11)
                        ],
                        "gallery_classes": dict.fromkeys(LABELS, 6),
                        "random": {
                            "recall_at_1": 0.034,
                            "recall_at_5": 0.168,
                            "recall_at_10": 0.335,
                            "median_rank": 15.5,
                            "mean_rank": 15.5,
                            "mean_reciprocal_rank": 0.134,
                        },
                        "confusion": {
                            "classes": list(LABELS),
                            "top_r": (
                                0.8 * np.eye(len(LABELS)) + 0.2 * np.eye(len(LABELS), k=1)
                            ).tolist(),
                        },
                        "hubness": {
                            "neighbors": 10,
                            "skewness": 1.25,
                            "share_never_retrieved": 0.125,
                        },
                        "modality_gap": 0.5,
                        "average_precision_by_class": {
                            label: 0.95 - 0.1 * at - 0.07 * place
                            for place, label in enumerate(LABELS)
                        },
                    },
                }
                for at, direction in enumerate(self.directions)
            },
            "index": {"version": "0123456789abcdef"},
        }

    def collection(self) -> dict[str, Any]:
        """Return what ``GET /collection`` answers."""
        return {
            "version": "0123456789abcdef",
            "view_seq": 1,
            "size": {"audio": 30, "visual": 30},
            "items": 30,
            "directions": list(self.directions),
            "labels": list(LABELS),
            "splits": list(SPLIT_SIZES),
            "model": {"id": "f" * 64, "method": "c_cca", "dim": 10, "frontends": {}},
            "media": True,
        }

    async def answer(self, request: Request) -> Response:
        """Answer any API request, keeping what was asked."""
        path = request.url.path
        asked: dict[str, Any] = {
            "method": request.method,
            "path": path,
            "authorization": request.headers.get("authorization"),
            "type": request.headers.get("content-type", "").split(";")[0],
        }
        if asked["type"] == "multipart/form-data":
            async with request.form() as form:
                asked["params"] = json.loads(str(form["params"]))
                upload = form["file"]
                assert not isinstance(upload, str)
                asked["name"], asked["bytes"] = upload.filename, await upload.read()
        elif request.method == "POST":
            asked["json"] = await request.json()
        self.asked.append(asked)
        if self.key is not None and asked["authorization"] != f"Bearer {self.key}":
            return _problem(
                {"status": 401, "code": "unauthenticated", "title": "A key is needed"}
            )
        if self.problem is not None and request.method == "POST":
            return _problem(self.problem)
        return self._route(path, request, asked)

    def _route(self, path: str, request: Request, asked: dict[str, Any]) -> Response:
        if path == "/collection":
            return JSONResponse(self.collection())
        if path == "/evaluate":
            return JSONResponse(self.evaluation())
        if path == "/openapi.json":
            return JSONResponse(INTERFACE)
        if path == "/docs":
            return HTMLResponse(render(INTERFACE))
        if path.startswith("/search/"):
            return JSONResponse(self._search(path.removeprefix("/search/"), asked))
        if path == "/items":
            first = int(request.query_params.get("cursor", "0"))
            last = min(30, first + int(request.query_params["limit"]))
            cursor = str(last) if last < 30 else None
            items = [self.item(number) for number in range(first, last)]
            return JSONResponse({"items": items, "next_cursor": cursor})
        number = int(path[-2:]) if path[-2:].isdigit() else 99
        if number >= 30:
            return _problem({"status": 404, "code": "not-found", "title": "No such item"})
        if path.startswith("/media/"):
            return FileResponse(
                self.clips[number % len(self.clips)], media_type="video/webm"
            )
        return JSONResponse(self.item(number))

    def _search(self, direction: str, asked: dict[str, Any]) -> dict[str, Any]:
        params = asked.get("params") or asked["json"]
        first = params.get("offset", 0)
        ranking = self.ranking(direction, params.get("id", "file"))
        return {
            "results": ranking[first : first + params["k"]],
            "query": {"modality": direction.split("2")[0]},
            "index": {"version": "0123456789abcdef", "view_seq": 1},
            "took_ms": {"total": 12.4},
            "request_id": "r-1",
        }

    def searches(self) -> list[dict[str, Any]]:
        """Return the searches asked so far."""
        return [asked for asked in self.asked if asked["path"].startswith("/search/")]


def _problem(problem: dict[str, Any]) -> Response:
    body = {"type": "about:blank", "request_id": "r-9", **problem}
    return JSONResponse(body, problem["status"], media_type="application/problem+json")
