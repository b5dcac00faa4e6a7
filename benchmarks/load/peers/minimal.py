"""The least that serves a search over HTTP with FastAPI: what a bare route costs."""

from collections.abc import Callable

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel


class Query(BaseModel):
    """A vector and how many rows to find."""

    vector: list[float]
    k: int = 10


def serve(search: Callable[[list[float], int], list[int]], port: int) -> None:
    """Serve ``POST /search`` on the loopback interface until told to stop.

    A plain function as the route: FastAPI runs it on its threads, so that searches that
    release the interpreter's lock run beside each other.
    """
    app = FastAPI()

    @app.post("/search")
    def route(query: Query) -> dict[str, list[int]]:
        return {"ids": search(query.vector, query.k)}

    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)
