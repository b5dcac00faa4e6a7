"""The process: deadlines, refusals to start, and a clean end; over real sockets."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from benchmarks.server import free_port
from service.app import create_app
from service.http.deadlines import DeadlineProtocol
from service.searching import ranking
from service.settings import Settings
from tests.service.running import listening

ROOT = Path(__file__).parents[2]
BOUND_S = 240  # for what hangs: the machine may be shared


def environment(**settings: str) -> dict[str, str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("EARSHOT_")}
    clean.pop("OMP_NUM_THREADS", None)
    return clean | {f"EARSHOT_{name}": value for name, value in settings.items()}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "service", *arguments]


@pytest.fixture(scope="module")
def served(data_directory: Path) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """A service that waits for whoever the machine lets wait."""
    port = free_port()
    started = subprocess.Popen(
        command("serve", "--data", str(data_directory)),
        cwd=ROOT,
        env=environment(
            PORT=str(port),
            READ_ONLY="true",  # others read the same directory
            HEADER_TIMEOUT_S="600",
            BODY_WINDOW_S="600",
            BODY_TIMEOUT_S="600",
            MAX_CONNECTIONS="40",
            MAX_HEADERS="100000",
        ),
        stderr=subprocess.PIPE,
    )
    with started as process:  # closes its pipes, too
        until(lambda: process.poll() is not None or ready(port))
        assert process.poll() is None
        yield port, process
        if process.poll() is None:
            process.kill()
            process.wait()


def talk(port: int, *pieces: bytes, pause_s: float = 0.0) -> bytes:
    """Send pieces and return all that comes until the peer closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=BOUND_S) as connection:
        for piece in pieces:
            try:
                connection.sendall(piece)
            except OSError:
                break
            time.sleep(pause_s)
        answer = b""
        try:
            while chunk := connection.recv(65536):
                answer += chunk
        except ConnectionResetError:
            pass
        return answer


def problem(answer: bytes) -> dict[str, object]:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head, answer
    parsed: dict[str, object] = json.loads(body)
    return parsed


def ready(port: int) -> bool:
    try:
        reply = httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=BOUND_S)
    except httpx.TransportError:
        return False
    return reply.status_code == 200


def until(state: Callable[[], bool]) -> None:
    deadline = time.monotonic() + BOUND_S
    while not state():
        assert time.monotonic() < deadline, "it did not come to this"
        time.sleep(0.05)


def alive(port: int) -> bool:
    """Tell whether it answers, once places of earlier connections are given back."""
    until(lambda: ready(port))
    return True


def test_half_a_head_is_closed_with_408(listen: Callable[..., int]) -> None:
    port = listen(header_timeout_s=1)
    started = time.monotonic()
    answer = talk(port, b"GET /livez HTTP/1.1\r\nHost: localhost\r\n")
    assert problem(answer)["code"] == "request-timeout"
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert time.monotonic() - started >= 1
    assert talk(port, b"").startswith(b"HTTP/1.1 408 ")
    assert talk(port, *[b"\r\n"] * 8, pause_s=0.2).startswith(b"HTTP/1.1 408 ")
    assert alive(port)


def half_heads(port: int, count: int) -> list[bytes]:
    """Send that many half heads, search beside them, and return what became of them."""
    half = b"POST /search/audio2visual HTTP/1.1\r\nHost: localhost\r\n"
    with ThreadPoolExecutor(count) as pool:
        answers = [pool.submit(talk, port, half) for _ in range(count)]
        while not all(answer.done() for answer in answers):
            url = f"http://127.0.0.1:{port}/search/audio2visual?id=i00"
            assert httpx.post(url, timeout=BOUND_S).status_code in (200, 408)
        return [answer.result() for answer in answers]


def test_a_hundred_half_heads_keep_nobody_out_and_leave_nothing(
    listen: Callable[..., int],
) -> None:
    port = listen(header_timeout_s=3)
    assert alive(port)
    before = len(os.listdir("/proc/self/fd"))
    answers = half_heads(port, 100)
    assert all(answer.startswith(b"HTTP/1.1 408 ") for answer in answers)
    until(lambda: len(os.listdir("/proc/self/fd")) <= before + 5)
    assert alive(port)


def test_a_server_without_a_deadline_for_heads_is_found_out(
    listen: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DeadlineProtocol, "_watch_headers", lambda _: None)
    monkeypatch.setattr("tests.service.test_serving.BOUND_S", 5)
    with pytest.raises(TimeoutError):
        talk(listen(header_timeout_s=1), b"GET / HTTP/1.1\r\n")


def test_a_body_in_drops_is_closed_with_408(listen: Callable[..., int]) -> None:
    port = listen(body_window_s=2)
    head = (
        b"POST /search/audio2visual HTTP/1.1\r\nHost: localhost\r\n"
        b"Content-Type: application/json\r\nContent-Length: 4000000\r\n\r\n"
    )
    answer = talk(port, head, *[b" "] * 8, pause_s=0.2)
    assert problem(answer)["code"] == "request-timeout"
    assert alive(port)


def test_what_is_not_http_is_a_problem_too(served: tuple[int, object]) -> None:
    port, _ = served
    assert problem(talk(port, b"\x16\x03\x01 hello\r\n\r\n"))["code"] == "malformed-request"
    both = b"POST /evaluate HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n"
    both += b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    assert b" 400 " in talk(port, both).split(b"\r\n")[0]
    long = b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 300_000
    assert problem(talk(port, long))["code"] == "malformed-request"
    assert alive(port)


def test_too_large_is_told_while_the_client_still_sends(served: tuple[int, object]) -> None:
    port, _ = served
    head = (
        b"POST /search/audio2visual HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        b"Content-Type: application/json\r\nContent-Length: 90000000\r\n\r\n"
    )
    assert b" 413 " in talk(port, head, b"x" * 1000).split(b"\r\n")[0]
    assert alive(port)


def test_one_connection_too_many_is_told_to_come_back(served: tuple[int, object]) -> None:
    port, _ = served
    assert alive(port)
    held = [socket.create_connection(("127.0.0.1", port)) for _ in range(40)]
    try:
        answer = talk(port)
        assert answer.startswith(b"HTTP/1.1 429 ")
        assert b"retry-after" in answer
    finally:
        for connection in held:
            connection.close()
    assert alive(port)


def test_a_process_out_of_files_serves_again_once_it_has_some(
    served: tuple[int, subprocess.Popen[bytes]],
) -> None:
    port, process = served
    assert alive(port)
    open_files = len(os.listdir(f"/proc/{process.pid}/fd"))
    before = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (open_files + 3, before[1]))
    try:
        held = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
        until(lambda: len(os.listdir(f"/proc/{process.pid}/fd")) >= open_files + 3)
        for connection in held:
            connection.close()
        assert alive(port)
    finally:
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, before)
    assert process.poll() is None


def test_keep_alive_serves_many_requests_on_one_connection(
    served: tuple[int, object],
) -> None:
    port, _ = served
    request = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
    last = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    answer = talk(port, request, request, request + last, pause_s=0.1)
    assert answer.count(b"HTTP/1.1 200 ") == 4


def test_it_ends_at_a_word_in_spite_of_half_open_requests(
    served: tuple[int, subprocess.Popen[bytes]],
) -> None:
    port, process = served
    held = []
    for _ in range(20):
        connection = socket.create_connection(("127.0.0.1", port))
        connection.sendall(
            b"POST /evaluate HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n"
        )
        held.append(connection)
    process.send_signal(signal.SIGTERM)
    # uvicorn ends in order, then lets the signal have its way
    assert process.wait(timeout=BOUND_S) in (0, -signal.SIGTERM)
    for connection in held:
        connection.close()
    assert process.stderr is not None
    written = process.stderr.read().splitlines()
    lines = [json.loads(line) for line in written if line.startswith(b"{")]
    requests = [line for line in lines if line["event"] == "request"]
    assert {"request_id", "method", "route", "status", "ms"} <= set(requests[0])


def closed(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=BOUND_S).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        pass
    return False


@pytest.mark.parametrize("in_time", [True, False])
def test_what_is_under_way_at_the_end_is_answered(
    collection: Any, decoder: Any, monkeypatch: pytest.MonkeyPatch, in_time: bool
) -> None:
    """By what it asked for if that is found in time, and by 503 if not."""
    ended, entered, ports = threading.Event(), threading.Event(), []
    unhindered = ranking.search

    def slow(one: ranking.Search) -> Any:
        entered.set()
        if in_time:
            until(lambda: closed(ports[0]))
        else:
            assert ended.wait(BOUND_S)
        return unhindered(one)

    monkeypatch.setattr("service.searching.gathering.search", slow)
    settings = Settings(workers=2, port=0, shutdown_timeout_s=BOUND_S if in_time else 1)
    app = create_app(settings, collection, decoder)
    with ThreadPoolExecutor(1) as client:
        with listening(app, settings) as port:
            ports.append(port)
            url = f"http://127.0.0.1:{port}/search/audio2visual?id=i00"
            asked = client.submit(httpx.post, url, timeout=BOUND_S)
            assert entered.wait(BOUND_S)
        ended.set()
        reply = asked.result()
    if in_time:
        assert reply.status_code == 200
        return
    assert (reply.status_code, reply.json()["code"]) == (503, "shutting-down")
    assert int(reply.headers["retry-after"]) >= 1


@pytest.mark.parametrize(
    ("settings", "arguments", "said"),
    [
        ({"HOST": "0.0.0.0"}, [], "without EARSHOT_API_KEYS the service binds to loopback"),
        ({"API_KEYS": "hunter2"}, [], "entry 1 is not ROLE:SHA256HEX"),
        ({"PORT": "99999"}, [], "EARSHOT_PORT"),
        ({}, [], "no data directory; set EARSHOT_DATA or pass --data"),
        ({}, ["--data", "/nowhere"], "cannot serve: /nowhere is no data directory"),
    ],
)
def test_it_says_why_it_does_not_start(
    settings: dict[str, str], arguments: list[str], said: str
) -> None:
    ended = subprocess.run(
        command("serve", *arguments),
        cwd=ROOT,
        env=environment(**({"PORT": str(free_port())} | settings)),
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=False,
    )
    assert ended.returncode == 1
    assert said in ended.stderr
    assert ended.stderr.count("\n") == 1  # and nothing was started
    assert "hunter2" not in ended.stderr


def test_of_a_port_that_is_taken_it_says_so(data_directory: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        ended = subprocess.run(
            command("serve", "--data", str(data_directory)),
            cwd=ROOT,
            env=environment(PORT=str(port), POTR="1"),
            capture_output=True,
            text=True,
            timeout=BOUND_S,
            check=False,
        )
    assert ended.returncode == 1  # 3 is for a data directory that is held
    assert f"cannot serve: nothing can listen on 127.0.0.1:{port}" in ended.stderr
    assert "EARSHOT_POTR" in ended.stderr  # misspelt, it is not quietly passed over
    assert "Traceback" not in ended.stderr


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EARSHOT_PORT", "9001")
    monkeypatch.setenv("EARSHOT_WORKERS", "3")
    settings = Settings()
    assert (settings.port, settings.worker_count, settings.upload_places) == (9001, 3, 12)
