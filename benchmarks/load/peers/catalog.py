"""The peers there are: how each is asked, and how its answer is read."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.load.requests import http_request, vector_json
from benchmarks.load.scale import K
from benchmarks.load.target import route_requests, route_rows

HERE = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Peer:
    """An engine to compare with.

    ``script`` is run in the peer's environment: ``build VECTORS.npy FOLDER`` prints a line
    of JSON about the index it made, ``serve FOLDER PORT`` answers the requests.
    """

    name: str
    package: str
    how: str
    script: Path
    requirements: Path
    requests: Callable[[np.ndarray], Sequence[bytes]] = route_requests
    rows: Callable[[bytes], list[int]] = route_rows


def _txtai_requests(queries: np.ndarray) -> list[bytes]:
    texts = (base64.urlsafe_b64encode(query.astype("<f4").tobytes()) for query in queries)
    path = "/search?limit={}&query={}"
    return [http_request(path.format(K, text.decode()), method="GET") for text in texts]


def _txtai_rows(body: bytes) -> list[int]:
    return [int(hit["id"]) for hit in json.loads(body)]


def _knn_requests(queries: np.ndarray) -> list[bytes]:
    asked = f'"modality":"image","num_images":{K},"indice_name":"vectors"'
    bodies = (f'{{"embedding_input":{vector_json(query)},{asked}}}' for query in queries)
    return [http_request("/knn-service", body.encode()) for body in bodies]


def _knn_rows(body: bytes) -> list[int]:
    return [int(hit["id"]) for hit in json.loads(body)]


def _peer(
    name: str,
    package: str,
    how: str,
    requests: Callable[[np.ndarray], Sequence[bytes]] = route_requests,
    rows: Callable[[bytes], list[int]] = route_rows,
) -> Peer:
    return Peer(
        name=name,
        package=package,
        how=how,
        script=HERE / f"serve_{name}.py",
        requirements=HERE / f"{name}.txt",
        requests=requests,
        rows=rows,
    )


PEERS = {
    peer.name: peer
    for peer in (
        _peer("txtai", "txtai", "its API, GET /search", _txtai_requests, _txtai_rows),
        _peer(
            "clip_retrieval",
            "clip-retrieval",
            "its knn service on Flask's server, no model loaded",
            _knn_requests,
            _knn_rows,
        ),
        _peer("qdrant_edge", "qdrant-edge-py", "embedded, behind the minimal route"),
        _peer("lancedb", "lancedb", "embedded, behind the minimal route"),
    )
}
