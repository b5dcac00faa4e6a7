"""Applications that run: inside this process, or behind a loopback socket."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI

from service.serving import server_config
from service.settings import Settings


@asynccontextmanager
async def running(
    app: FastAPI, *, wait: bool = True, headers: Any = None
) -> AsyncIterator[httpx.AsyncClient]:
    """Run an application's life and give a client of it."""
    transport = httpx.ASGITransport(app=app)
    client = httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers)
    async with app.router.lifespan_context(app), client:
        if wait:
            await app.state.runtime.opened()
        yield client


@contextmanager
def listening(app: FastAPI, settings: Settings) -> Iterator[int]:
    """Run an application's server in a thread, and give its port once it is ready."""
    server = uvicorn.Server(server_config(app, settings))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    runtime = app.state.runtime
    deadline = time.monotonic() + 120
    while not (server.started and runtime.readiness.opened):
        assert thread.is_alive()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(120)
        assert not thread.is_alive()
