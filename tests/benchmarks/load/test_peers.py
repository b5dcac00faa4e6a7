"""Peers: an environment made and kept, an index made once, a server ended; and failures."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from benchmarks.load.parts import Run, peers
from benchmarks.load.peers.catalog import PEERS, Peer
from benchmarks.load.peers.driver import prepare, serving_peer
from benchmarks.load.peers.environment import MARK, PeerError, environment, run_logged
from benchmarks.load.report import Report
from benchmarks.load.scale import K, Scale, Vectors
from benchmarks.load.target import found, measure
from benchmarks.load.usage import descendants

SCALE = Scale(items=60, dim=6, queries=5, seconds=0.1, connections=(1,), open_connections=2)
SCRIPT = """
import http.server, json, sys
import numpy as np
if sys.argv[1] == "build":
    vectors = np.load(sys.argv[2], allow_pickle=False)
    np.save(sys.argv[3] + "/kept.npy", vectors)
    with open(sys.argv[3] + "/../builds", "a") as file:
        file.write("x")
    print("some noise")
    print(json.dumps({"index": "brute", "stored": len(vectors)}))
    sys.exit()
vectors = np.load(sys.argv[2] + "/kept.npy", allow_pickle=False)
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *_): pass
    def do_GET(self): self.answer({})
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        scores = vectors @ np.array(asked["vector"])
        self.answer({"ids": np.argsort(-scores)[OFFSET : asked["k"] + OFFSET].tolist()})
    def answer(self, value):
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.ThreadingHTTPServer.request_queue_size = 128
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[3])), Handler).serve_forever()
"""


@pytest.fixture(scope="module")
def vectors() -> Vectors:
    return Vectors(SCALE)


def fake(folder: Path, script: str = SCRIPT, offset: int = 0) -> Peer:
    """A peer whose environment is this one, marked as installed."""
    folder.mkdir(parents=True, exist_ok=True)
    file, requirements = folder / "serve.py", folder / "pins.txt"
    file.write_text(script.replace("OFFSET", str(offset)))
    requirements.write_text("numpy\n")
    env = folder / "peers" / "fake" / "env"
    (env / "bin").mkdir(parents=True, exist_ok=True)
    python = env / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    (env / MARK).write_text(hashlib.sha256(requirements.read_bytes()).hexdigest())
    return Peer(
        name="fake", package="numpy", how="x", script=file, requirements=requirements
    )


def test_a_peer_is_indexed_once_served_measured_and_ended(
    tmp_path: Path, vectors: Vectors
) -> None:
    peer, root = fake(tmp_path), tmp_path / "peers"
    for _ in range(2):
        with serving_peer(peer, vectors, root) as (target, known):
            assert found(target) == vectors.truth.tolist()
            figures = measure(target, vectors, SCALE)
    assert (root / "fake" / "builds").read_text() == "x"
    assert known["index"] == "brute"
    assert known["stored"] == SCALE.items
    assert known["version"] == np.__version__
    assert known["index_mib"] >= 0
    assert figures["recall_at_10"] == 1
    assert set(figures["peaks"]) == {"1"}
    assert figures["at_60_percent"]["resets"] == 0
    with pytest.raises(OSError, match=r"refused|timed out"):
        found(target)


def test_other_vectors_or_another_script_make_another_index(
    tmp_path: Path, vectors: Vectors
) -> None:
    root = tmp_path / "peers"
    _, first = prepare(fake(tmp_path), vectors, root)
    _, same = prepare(fake(tmp_path), vectors, root)
    _, moved = prepare(fake(tmp_path), Vectors(Scale(items=60, dim=6, seed=1)), root)
    _, edited = prepare(fake(tmp_path, offset=1), vectors, root)
    assert first == same
    assert len({first, moved, edited}) == 3


def test_a_less_exact_peer_shows_by_its_recall(tmp_path: Path, vectors: Vectors) -> None:
    peer = fake(tmp_path, offset=3)
    with serving_peer(peer, vectors, tmp_path / "peers") as (target, _):
        recall = vectors.recall(found(target))
    assert recall == pytest.approx((K - 3) / K)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("import sys; sys.exit('ERROR: no disk')", "exit status 1: ERROR: no disk"),
        ("print('done')", "printed 'done', no JSON"),
        ("", "printed 'nothing', no JSON"),
    ],
)
def test_an_index_that_cannot_be_made_is_one_error(
    tmp_path: Path, vectors: Vectors, script: str, said: str
) -> None:
    with pytest.raises(PeerError, match=said):
        prepare(fake(tmp_path, script), vectors, tmp_path / "peers")
    assert not list((tmp_path / "peers" / "fake").glob("index-*/facts.json"))


def test_a_server_that_does_not_start_is_one_error(
    tmp_path: Path, vectors: Vectors
) -> None:
    script = SCRIPT.replace("class Handler(", "sys.exit('no port')\nclass Handler(")
    with (
        pytest.raises(PeerError, match="ended with status 1: no port"),
        serving_peer(fake(tmp_path, script), vectors, tmp_path / "peers"),
    ):
        pass


def test_a_command_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    before = descendants(os.getpid())
    with pytest.raises(PeerError, match=r"longer than 0\.2 s"):
        run_logged(
            [sys.executable, "-c", "import time; time.sleep(600)"], tmp_path / "log", 0.2
        )
    assert descendants(os.getpid()) <= before


INSTALLER = """#!/bin/sh
echo "$@" >> {calls}
if [ "$2" = venv ]; then mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; exit 0; fi
{then}
"""


def test_an_environment_is_installed_once_per_content_of_its_pins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = installer(tmp_path, monkeypatch, "exit 0")
    pins = tmp_path / "pins.txt"
    pins.write_text("a==1\n")
    python = environment("peer", pins, tmp_path / "peers")
    assert python == environment("peer", pins, tmp_path / "peers")
    env = tmp_path / "peers" / "peer" / "env"
    install = f"-m pip install --quiet -r {pins}"
    assert calls.read_text().splitlines() == [f"-m venv {env}", install]
    pins.write_text("a==2\n")
    environment("peer", pins, tmp_path / "peers")
    assert calls.read_text().splitlines() == [f"-m venv {env}", install] * 2


def test_an_installation_that_fails_is_one_error_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = installer(tmp_path, monkeypatch, "echo 'ERROR: no such version' >&2; exit 1")
    pins = tmp_path / "pins.txt"
    pins.write_text("a==1\n")
    for attempt in (1, 2):
        with pytest.raises(PeerError, match="exit status 1: ERROR: no such version"):
            environment("peer", pins, tmp_path / "peers")
        assert len(calls.read_text().splitlines()) == 2 * attempt


def installer(folder: Path, monkeypatch: pytest.MonkeyPatch, then: str) -> Path:
    """Put a script in the place of Python that tells what it was called with."""
    calls, python = folder / "calls", folder / "python"
    python.write_text(INSTALLER.format(calls=calls, then=then))
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    return calls


def test_a_peer_that_fails_is_reported_and_the_others_go_on(
    tmp_path: Path, vectors: Vectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the service played by a fake: only the part itself is under test."""
    report = Report(SCALE, tmp_path / "out")
    bad = fake(tmp_path / "bad", "import sys; sys.exit('ERROR: broken')")
    good = fake(tmp_path / "good")
    roots = {"bad": tmp_path / "bad" / "peers", "good": tmp_path / "good" / "peers"}
    monkeypatch.setattr("benchmarks.load.parts.PEERS", {"bad": bad, "good": good})
    monkeypatch.setattr(
        "benchmarks.load.parts.serving_peer",
        lambda peer, known: serving_peer(peer, known, roots[peer.script.parent.name]),
    )

    @contextmanager
    def serving(_: Path) -> Iterator[None]:
        yield None

    monkeypatch.setattr("benchmarks.load.parts.serving", serving)
    with serving_peer(good, vectors, roots["good"]) as (ours, _):
        monkeypatch.setattr(Run, "ours", lambda *_: ours)
        peers(
            Run(
                data=tmp_path,
                vectors=vectors,
                scale=SCALE,
                report=report,
                peers=["bad", "good"],
                rate=1,
                minutes=1,
            )
        )
    told = json.loads(report.path.read_text())["parts"]["peers"]
    assert told["bad"] == {"not_measured": "exit status 1: ERROR: broken"}
    assert told["good"]["recall_at_10"] == 1
    assert told["good"]["of_ours"] > 0
    report.table("peers")


@pytest.mark.parametrize("peer", PEERS.values(), ids=list(PEERS))
def test_every_peer_is_pinned_completely_and_asks_for_its_query(
    peer: Peer, vectors: Vectors
) -> None:
    lines = peer.requirements.read_text().splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    assert {name.lower().replace("_", "-") for name in pins} >= {peer.package}
    assert pins.get("torch", "2.13.0") == "2.13.0"
    assert peer.script.is_file()
    requests = peer.requests(vectors.queries)
    assert len(requests) == len(set(requests)) == SCALE.queries
    head, _, body = requests[0].partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}\r\n".encode() in head + b"\r\n"
