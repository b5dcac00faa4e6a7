"""The deployment as plain processes: proxy, service and a scrape, as compose wires them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import numpy as np
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from crossmodal.features import FeaturesFile, table, write_features
from crossmodal.modality import Modality
from index.build import build
from service.problems import STATUS
from service.schemas import ProblemReply

ROOT = Path(__file__).resolve().parents[2]
PROXY = ROOT / "docker" / "proxy" / "nginx.conf"
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SECRET = "a-key-of-the-topology"
START_S = 240
QUERY = {"vector": [1.0, 0, 0, 0, 0, 0, 0, 0], "k": 3}


class Topology(NamedTuple):
    proxy: str
    service: str
    server: subprocess.Popen[bytes]


def find_nginx() -> str:
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if found is None:
        if os.environ.get("EARSHOT_CI") == "1":
            pytest.fail("nginx is missing, and EARSHOT_CI=1 asks for every tool")
        pytest.skip("there is no nginx here; the proxy was not started")
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S
    while True:
        try:
            if httpx.get(url, timeout=5).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)


def proxy_config(folder: Path, *, port: int, service: int) -> Path:
    """The committed configuration with the ports and folders of this machine."""
    text = PROXY.read_text()
    for old, new in (
        ("server service:8000;", f"server 127.0.0.1:{service};"),
        ("listen 8080;", f"listen 127.0.0.1:{port};"),
        ("worker_processes auto;", "worker_processes 1;"),
        ("client_header_timeout 10s;", "client_header_timeout 3s;"),
        ("client_body_timeout 10s;", "client_body_timeout 3s;"),
    ):
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path = folder / "nginx.conf"
    path.write_text(text.replace(" /tmp/", f" {folder}/"))
    return path


@pytest.fixture(scope="module")
def topology(
    tmp_path_factory: pytest.TempPathFactory, tiny_bundle: Callable[..., Path]
) -> Iterator[Topology]:
    nginx = find_nginx()
    folder = tmp_path_factory.mktemp("topology")
    rng = np.random.default_rng(0)
    tables = {
        modality: table(
            rng.standard_normal((20, 6)).astype(np.float32), id=[f"i{n}" for n in range(20)]
        )
        for modality in (Modality.AUDIO, Modality.VISUAL)
    }
    write_features(folder / "features.h5", FeaturesFile("made", tables))
    build(tiny_bundle(), folder / "features.h5", folder / "data", workers=1)
    inner, outer = free_port(), free_port()
    wanted = COMPOSE["services"]["service"]["environment"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("EARSHOT_")}
    environment |= {
        "EARSHOT_PORT": str(inner),
        "EARSHOT_API_KEYS": f"read:{hashlib.sha256(SECRET.encode()).hexdigest()}",
        "EARSHOT_TRUSTED_PROXIES": wanted["EARSHOT_TRUSTED_PROXIES"] + ",127.0.0.0/8",
        "EARSHOT_FAILED_RATE": "0.01",
        "EARSHOT_FAILED_BURST": "8",
    }
    with ExitStack() as stack:
        server = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-m", "service", "serve", "--data", str(folder / "data")],
                cwd=ROOT,
                env=environment,
                stderr=subprocess.DEVNULL,
            )
        )
        stack.callback(server.kill)
        config = proxy_config(folder, port=outer, service=inner)
        log = stack.enter_context((folder / "proxy.log").open("wb"))
        proxy = stack.enter_context(
            subprocess.Popen(
                [nginx, "-p", str(folder), "-c", str(config), "-g", "daemon off;"],
                stderr=log,
            )
        )
        stack.callback(proxy.terminate)
        wait_for(f"http://127.0.0.1:{inner}/readyz", server)
        wait_for(f"http://127.0.0.1:{outer}/readyz", proxy)
        yield Topology(f"http://127.0.0.1:{outer}", f"http://127.0.0.1:{inner}", server)


def key() -> dict[str, str]:
    return {"authorization": f"Bearer {SECRET}"}


def problem(reply: httpx.Response, code: str) -> ProblemReply:
    assert reply.headers["content-type"] == "application/problem+json"
    told = ProblemReply.model_validate(reply.json())
    assert (told.code, told.status) == (code, STATUS[code].status)
    assert told.title == STATUS[code].title
    assert reply.status_code == told.status
    return told


def test_a_search_goes_through_under_one_id(topology: Topology) -> None:
    reply = httpx.post(
        f"{topology.proxy}/search/audio2visual", json=QUERY, headers=key(), timeout=30
    )
    assert reply.status_code == 200
    assert len(reply.json()["results"]) == 3
    assert reply.headers["x-request-id"] == reply.json()["request_id"]
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert "nginx" not in reply.headers.get("server", "nginx").replace("nginx", "", 1)
    named = httpx.get(
        f"{topology.proxy}/version", headers={**key(), "x-request-id": "mine"}
    )
    assert named.headers["x-request-id"] == "mine"
    assert httpx.get(f"{topology.proxy}/version").status_code == 401


def test_a_scrape_as_it_is_configured_finds_the_metrics(
    topology: Topology, tmp_path: Path
) -> None:
    config = yaml.safe_load((ROOT / "docker" / "monitoring" / "prometheus.yml").read_text())
    (job,) = config["scrape_configs"]
    secret = tmp_path / Path(job["authorization"]["credentials_file"]).name
    secret.write_text(SECRET)  # as compose mounts it
    scrape = f"{job['authorization']['type']} {secret.read_text()}"
    reply = httpx.get(
        topology.service + job["metrics_path"],
        headers={"authorization": scrape},
        timeout=30,
    )
    assert reply.status_code == 200
    families = {f.name for f in text_string_to_metric_families(reply.text)}
    assert {"earshot_requests", "earshot_ready", "earshot_stage_seconds"} <= families
    assert httpx.get(f"{topology.service}/metrics", timeout=30).status_code == 401


def test_wrong_keys_count_against_who_sends_them_and_not_against_a_claim(
    topology: Topology,
) -> None:
    def guess(number: int) -> int:
        claimed = {"x-forwarded-for": f"203.0.113.{number}"}
        wrong = {"authorization": f"Bearer guess-{number}", **claimed}
        return httpx.get(f"{topology.proxy}/version", headers=wrong, timeout=30).status_code

    statuses = [guess(number) for number in range(12)]
    assert set(statuses) == {401, 429}
    assert statuses == sorted(statuses)
    # another client of the same proxy is not meant: told straight, as the proxy would
    other = {"authorization": "Bearer guess", "x-forwarded-for": "203.0.113.99"}
    assert httpx.get(f"{topology.service}/version", headers=other).status_code == 401
    assert httpx.get(f"{topology.proxy}/version", headers=key()).status_code == 200


def send(topology: Topology, *pieces: bytes, pause_s: float = 0.0) -> bytes:
    port = int(topology.proxy.rpartition(":")[2])
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        try:
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(pause_s)
            while chunk := connection.recv(65536):
                answer += chunk
        except (ConnectionResetError, BrokenPipeError):
            pass
    return answer


def test_what_the_proxy_refuses_reads_like_what_the_service_refuses(
    topology: Topology,
) -> None:
    large = (
        b"POST /search/audio2visual HTTP/1.1\r\nHost: x\r\n"
        b"Content-Type: application/json\r\nContent-Length: 99999999\r\n\r\n"
    )
    malformed = b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n"
    for request, code in ((large, "too-large"), (malformed, "malformed-request")):
        first, _, rest = send(topology, request).partition(b"\r\n\r\n")
        assert f" {STATUS[code].status} ".encode() in first.splitlines()[0]
        assert b"application/problem+json" in first
        assert json.loads(rest)["code"] == code
        assert json.loads(rest)["title"] == STATUS[code].title


def test_a_slow_client_does_not_hold_a_place(topology: Topology) -> None:
    started = time.monotonic()
    head = b"POST /search/audio2visual HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n"
    for half in (head[:30], head + b"\r\n{"):
        assert b" 200 " not in send(topology, half)
    assert time.monotonic() - started < 20
    assert httpx.get(f"{topology.proxy}/readyz", timeout=30).status_code == 200


def test_many_clients_at_once_are_served_or_told_to_come_back(topology: Topology) -> None:
    def ask(number: int) -> httpx.Response:
        return httpx.post(
            f"{topology.proxy}/search/audio2visual", json=QUERY, headers=key(), timeout=60
        )

    with ThreadPoolExecutor(32) as clients:
        replies = list(clients.map(ask, range(128)))
    statuses = {reply.status_code for reply in replies}
    assert 200 in statuses
    assert statuses <= {200, 429, 503}
    assert all(r.headers["retry-after"] for r in replies if r.status_code != 200)


def test_while_the_service_is_away_the_proxy_says_so(topology: Topology) -> None:
    topology.server.terminate()
    topology.server.wait(timeout=30)
    reply = httpx.get(f"{topology.proxy}/readyz", timeout=30)
    problem(reply, "not-ready")
    assert int(reply.headers["retry-after"]) >= 1


def test_every_problem_the_proxy_words_is_the_services_own() -> None:
    words = [
        line.split("'")[1] for line in PROXY.read_text().splitlines() if "return" in line
    ]
    assert len(words) == 5
    for text in words:
        told: dict[str, Any] = json.loads(text.replace("$request_id", "0f"))
        parsed = ProblemReply.model_validate(told)
        kind = STATUS[parsed.code]
        assert (kind.status, kind.title) == (parsed.status, parsed.title)
        assert parsed.type == f"urn:earshot:problem:{parsed.code}"


def test_the_proxys_configuration_is_accepted(tmp_path: Path) -> None:
    nginx = find_nginx()
    config = proxy_config(tmp_path, port=free_port(), service=free_port())
    command = [nginx, "-t", "-q", "-p", str(tmp_path), "-c", str(config)]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    config.write_text(config.read_text().replace("proxy_pass", "proxy_past"))
    assert subprocess.run(command, capture_output=True, check=False).returncode != 0
