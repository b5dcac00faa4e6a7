"""A headless Chromium and a small service that plays the HTTP interface's part.

``EARSHOT_PAGE_URL`` points the journeys at a running service instead; tests that need
the small service's known answers are skipped then. ``EARSHOT_CI=1`` makes a missing
browser a failure.
"""

from __future__ import annotations

import math
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from tests.service.web.fake_service import FakeService

WEB = Path(__file__).resolve().parents[3] / "service" / "web"
BOUND_MS = 120_000  # for what hangs: the machine may be shared
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
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
    "0000000c49444154789c6348d810050002de016be8e3550e0000000049454e44ae426082"
)


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
        self._thread.join(120)

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
        expect.set_options(timeout=BOUND_MS)
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
        context.set_default_timeout(BOUND_MS)
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
