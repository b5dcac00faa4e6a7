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
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import numpy as np
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.server import free_port
from crossmodal.features import FeaturesFile, table, write_features
from crossmodal.modality import Modality
from index.build import build
from service.openapi.schemas import ProblemReply
from service.problems import STATUS

ROOT = Path(__file__).resolve().parents[2]
PROXY = ROOT / "docker" / "proxy" / "nginx.conf"
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SECRET = "a-key-of-the-topology"
BOUND_S = 240  # for what hangs: the machine may be shared
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


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + BOUND_S
    while True:
        try:
            if httpx.get(url, timeout=5).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)


def proxy_config(folder: Path, *, port: int, service: int, patience_s: int = 600) -> Path:
    """The committed configuration with the ports and folders of this machine.

    It waits for clients for so long, since the machine may let them wait.
    """
    text = PROXY.read_text()
    for old, new in (
        ("server service:8000;", f"server 127.0.0.1:{service};"),
        ("listen 8080;", f"listen 127.0.0.1:{port};"),
        ("worker_processes auto;", "worker_processes 1;"),
        ("client_header_timeout 10s;", f"client_header_timeout {patience_s}s;"),
        ("client_body_timeout 10s;", f"client_body_timeout {patience_s}s;"),
        ("proxy_connect_timeout 2s;", f"proxy_connect_timeout {patience_s}s;"),
        ("proxy_read_timeout 60s;", f"proxy_read_timeout {patience_s}s;"),
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
        **dict.fromkeys(
            ("EARSHOT_HEADER_TIMEOUT_S", "EARSHOT_BODY_WINDOW_S", "EARSHOT_BODY_TIMEOUT_S"),
            "600",
        ),
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
        wait_for(f"http://127.0.0.1:{inner}/readyz", server)
        config = proxy_config(folder, port=outer, service=inner)
        stack.enter_context(proxied(nginx, folder, config, outer))
        yield Topology(f"http://127.0.0.1:{outer}", f"http://127.0.0.1:{inner}", server)


@contextmanager
def proxied(nginx: str, folder: Path, config: Path, port: int) -> Iterator[None]:
    """Run a proxy over a service that is ready."""
    with (
        (folder / "proxy.log").open("wb") as log,
        subprocess.Popen(
            [nginx, "-p", str(folder), "-c", str(config), "-g", "daemon off;"], stderr=log
        ) as proxy,
    ):
        try:
            wait_for(f"http://127.0.0.1:{port}/readyz", proxy)
            yield
        finally:
            proxy.terminate()


def key() -> dict[str, str]:
    return {"authorization": f"Bearer {SECRET}"}


def get(url: str, **named: Any) -> httpx.Response:
    return httpx.get(url, timeout=BOUND_S, **named)


def problem(reply: httpx.Response, code: str) -> ProblemReply:
    assert reply.headers["content-type"] == "application/problem+json"
    told = ProblemReply.model_validate(reply.json())
    assert (told.code, told.status) == (code, STATUS[code].status)
    assert told.title == STATUS[code].title
    assert reply.status_code == told.status
    return told


def test_a_search_goes_through_under_one_id(topology: Topology) -> None:
    reply = httpx.post(
        f"{topology.proxy}/search/audio2visual", json=QUERY, headers=key(), timeout=BOUND_S
    )
    assert reply.status_code == 200
    assert len(reply.json()["results"]) == 3
    assert reply.headers["x-request-id"] == reply.json()["request_id"]
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert "nginx" not in reply.headers.get("server", "nginx").replace("nginx", "", 1)
    mine = {**key(), "x-request-id": "mine"}
    named = get(f"{topology.proxy}/version", headers=mine)
    assert named.headers["x-request-id"] == "mine"
    assert get(f"{topology.proxy}/version").status_code == 401


def test_a_scrape_as_it_is_configured_finds_the_metrics(
    topology: Topology, tmp_path: Path
) -> None:
    config = yaml.safe_load((ROOT / "docker" / "monitoring" / "prometheus.yml").read_text())
    (job,) = config["scrape_configs"]
    secret = tmp_path / Path(job["authorization"]["credentials_file"]).name
    secret.write_text(SECRET)  # as compose mounts it
    scrape = f"{job['authorization']['type']} {secret.read_text()}"
    url = topology.service + job["metrics_path"]
    reply = get(url, headers={"authorization": scrape})
    assert reply.status_code == 200
    families = {f.name for f in text_string_to_metric_families(reply.text)}
    assert {"earshot_requests", "earshot_ready", "earshot_stage_seconds"} <= families
    assert get(f"{topology.service}/metrics").status_code == 401


def test_wrong_keys_count_against_who_sends_them_and_not_against_a_claim(
    topology: Topology,
) -> None:
    def guess(number: int) -> int:
        claimed = {"x-forwarded-for": f"203.0.113.{number}"}
        wrong = {"authorization": f"Bearer guess-{number}", **claimed}
        return get(f"{topology.proxy}/version", headers=wrong).status_code

    statuses = [guess(number) for number in range(12)]
    assert set(statuses) == {401, 429}
    assert statuses == sorted(statuses)
    # another client of the same proxy is not meant: told straight, as the proxy would
    other = {"authorization": "Bearer guess", "x-forwarded-for": "203.0.113.99"}
    assert get(f"{topology.service}/version", headers=other).status_code == 401
    assert get(f"{topology.proxy}/version", headers=key()).status_code == 200


def send(url: str, request: bytes) -> bytes:
    port = int(url.rpartition(":")[2])
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=BOUND_S) as connection:
        try:
            connection.sendall(request)
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
        first, _, rest = send(topology.proxy, request).partition(b"\r\n\r\n")
        assert f" {STATUS[code].status} ".encode() in first.splitlines()[0]
        assert b"application/problem+json" in first
        assert json.loads(rest)["code"] == code
        assert json.loads(rest)["title"] == STATUS[code].title


def test_a_slow_client_does_not_hold_a_place(topology: Topology, tmp_path: Path) -> None:
    head = b"POST /search/audio2visual HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n"
    inner, port = int(topology.service.rpartition(":")[2]), free_port()
    config = proxy_config(tmp_path, port=port, service=inner, patience_s=2)
    with proxied(find_nginx(), tmp_path, config, port):
        for half in (head[:30], head + b"\r\n{"):
            assert b" 200 " not in send(f"http://127.0.0.1:{port}", half)
    assert get(f"{topology.proxy}/readyz").status_code == 200


def test_many_clients_at_once_are_served_or_told_to_come_back(topology: Topology) -> None:
    url = f"{topology.proxy}/search/audio2visual"
    with (
        httpx.Client(headers=key(), timeout=BOUND_S) as client,
        ThreadPoolExecutor(16) as pool,
    ):
        replies = list(pool.map(lambda _: client.post(url, json=QUERY), range(64)))
    statuses = {reply.status_code for reply in replies}
    assert 200 in statuses
    assert statuses <= {200, 429, 503}
    assert all(r.headers["retry-after"] for r in replies if r.status_code != 200)


def test_while_the_service_is_away_the_proxy_says_so(topology: Topology) -> None:
    topology.server.terminate()
    topology.server.wait(timeout=BOUND_S)
    reply = get(f"{topology.proxy}/readyz")
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
