"""A headless Chromium and a small service that plays the HTTP interface's part.

``EARSHOT_PAGE_URL`` points the journeys at a running service instead; tests that need
the small service's known answers are skipped then. ``EARSHOT_CI=1`` makes a missing
browser a failure.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

import av
import numpy as np
import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

WEB = Path(__file__).resolve().parents[3] / "service" / "web"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
PERMISSIONS = "microphone=(self), camera=(self), geolocation=()"
CHROMIUM = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]
LABELS = ("bird", "drum", "rain", "siren", "<b>wave</b>")
SPLIT_SIZES = {"train": 20, "test": 10}
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
    "0000000c49444154789c6348d810050002de016be8e3550e0000000049454e44ae426082"
)
ALL_DIRECTIONS = ("audio2visual", "visual2audio", "audio2audio", "visual2visual")


def write_clip(path: Path, seed: int, seconds: int = 2, fps: int = 8) -> None:
    """Write a small WebM, which every build of Chromium plays, of a ball and a tone."""
    random = np.random.default_rng(seed)
    back, ball = random.integers(20, 110, 3), random.integers(140, 255, 3)
    rows, columns = np.mgrid[:48, :64]
    with av.open(str(path), "w") as file:
        picture = file.add_stream("libvpx", rate=fps)
        picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
        picture.time_base = Fraction(1, fps)
        sound = file.add_stream("libopus", rate=48_000)
        for at in range(seconds * fps):
            x, y = 32 + 20 * math.cos(at / 4 + seed), 24 + 15 * math.sin(at / 3)
            inside = (columns - x) ** 2 + (rows - y) ** 2 < 50
            pixels = np.where(inside[..., None], ball, back).astype(np.uint8)
            file.mux(picture.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        file.mux(picture.encode(None))
        time_s = np.arange(seconds * 48_000) / 48_000
        samples = 0.3 * np.sin(2 * np.pi * (200 + 40 * seed) * time_s)
        frame = av.AudioFrame.from_ndarray(samples[None].astype(np.float32), "flt", "mono")
        frame.sample_rate = 48_000
        file.mux(sound.encode(frame))
        file.mux(sound.encode(None))


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


class Stage:
    """A listening server that serves the page and whichever ``FakeService`` it is given."""

    def __init__(self) -> None:
        self.service: FakeService | None = None
        self._application = Starlette(
            routes=[
                Route("/", lambda _: FileResponse(WEB / "index.html")),
                Mount("/web", StaticFiles(directory=WEB)),
                Route("/{rest:path}", self._answer, methods=["GET", "POST"]),
            ]
        )
        self._server = uvicorn.Server(
            uvicorn.Config(
                self._guarded,
                interface="asgi3",  # uvicorn mistakes a bound method for version 2
                port=0,
                log_level="warning",
                ws="none",
                lifespan="off",
            )
        )
        self._thread = threading.Thread(target=self._server.run)

    def __enter__(self) -> Stage:
        self._thread.start()
        while not self._server.started:
            self._thread.join(0.01)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        self.base_url = f"http://127.0.0.1:{port}"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.force_exit = self._server.should_exit = True
        self._thread.join(10)

    async def _answer(self, request: Request) -> Response:
        assert self.service is not None
        return await self.service.answer(request)

    async def _guarded(self, scope: Any, receive: Any, send: Any) -> None:
        async def with_policy(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] += [
                    (b"content-security-policy", POLICY.encode()),
                    (b"permissions-policy", PERMISSIONS.encode()),
                ]
            await send(message)

        await self._application(scope, receive, with_policy)


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three short clips with picture and sound."""
    folder = tmp_path_factory.mktemp("clips")
    paths = [folder / f"{seed}.webm" for seed in range(3)]
    for seed, path in enumerate(paths):
        write_clip(path, seed)
    return paths


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    """The server of the small service."""
    with Stage() as listening:
        yield listening


@pytest.fixture
def service(stage: Stage, clips: list[Path]) -> FakeService:
    """The small service, fresh; skipped when the journeys go to a real one."""
    if os.environ.get("EARSHOT_PAGE_URL"):
        pytest.skip("needs known answers, but EARSHOT_PAGE_URL names a running service")
    stage.service = FakeService(clips, base_url=stage.base_url)
    return stage.service


@pytest.fixture
def base_url(request: pytest.FixtureRequest) -> str:
    """Where the journeys go: a running service if one is named, else the small one."""
    named = os.environ.get("EARSHOT_PAGE_URL")
    return named.rstrip("/") if named else request.getfixturevalue("service").base_url


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """A headless Chromium."""
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        reason = f"no browser on the PATH: looked for {', '.join(names)}"
        if os.environ.get("EARSHOT_CI") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM)
        expect.set_options(timeout=40_000)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Browser) -> Iterator[Callable[..., Page]]:
    """Open fresh pages with chosen context options; the test fails if one logs an error.

    Chromium itself logs each refused request; those lines are not the page's.
    """
    errors: list[str] = []
    contexts: list[BrowserContext] = []

    def open_(**options: Any) -> Page:
        context = chromium.new_context(
            **{"viewport": {"width": 1280, "height": 900}} | options
        )
        contexts.append(context)
        context.set_default_timeout(40_000)
        fresh = context.new_page()
        fresh.on("pageerror", lambda error: errors.append(str(error)))
        fresh.on(
            "console",
            lambda line: (
                errors.append(line.text)
                if line.type == "error" and "Failed to load resource" not in line.text
                else None
            ),
        )
        return fresh

    yield open_
    for context in contexts:
        context.close()
    assert errors == []


@pytest.fixture
def page(open_page: Callable[..., Page]) -> Page:
    """A desktop page in which nothing plays by itself, to spare the decoder."""
    return open_page(reduced_motion="reduce")
