"""Sends cases to a running service and says what is wrong with its replies."""

from __future__ import annotations

import http.client
import json
import math
import re
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from crossmodal.media.limits import MediaLimits
from service.openapi.schemas import ProblemReply
from service.problems import STATUS
from tests.corpus.case import OK, Case

BOUND_S = 60.0  # for what hangs
LISTED_5XX = (503, 507)
TOLD_ONCE = re.compile(rb'"took_ms":\{[^}]*\}|"request_id":"[^"]*"')


class Reply(NamedTuple):
    """What came back, and after how many seconds."""

    status: int
    kind: str
    body: bytes
    took_s: float


def send(port: int, case: Case) -> Reply:
    """Send a case's bytes as they are."""
    method, path = case.endpoint.split(" ", 1)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2 * BOUND_S)
    started = time.perf_counter()
    try:
        connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in case.headers:
            connection.putheader(name, value)
        if not {"Content-Length", "Transfer-Encoding"} & dict(case.headers).keys():
            connection.putheader("Content-Length", str(len(case.body)))
        with suppress(BrokenPipeError, ConnectionResetError):  # refused before it was sent
            connection.endheaders()
            connection.send(case.body)
        reply = connection.getresponse()
        body = reply.read()
        took_s = time.perf_counter() - started
        return Reply(reply.status, reply.headers["content-type"], body, took_s)
    finally:
        connection.close()


def complaints(case: Case, reply: Reply, soon_s: float = BOUND_S) -> list[str]:
    """Return what is wrong with a reply; a bomb may take as long as decoding may, too."""
    wrong = []
    allowed_s = soon_s + (MediaLimits().wall_s if case.bomb else 0.0)
    if reply.took_s > allowed_s:
        wrong.append(f"took {reply.took_s:.1f} s")
    if reply.status not in case.statuses:
        wrong.append(f"status {reply.status}, expected {case.statuses}")
    if reply.status >= 500 and reply.status not in LISTED_5XX:
        wrong.append("an error of ours")
    if reply.status == 200:
        vector = json.loads(reply.body).get("vector", [])
        if OK not in case.codes or not all(map(math.isfinite, vector)):
            wrong.append("should not have been answered")
    else:
        wrong += _problem(case, reply)
    return [f"{case.name}: {line}: {reply.body[:200]!r}" for line in wrong]


def _problem(case: Case, reply: Reply) -> list[str]:
    if reply.kind != "application/problem+json" or len(reply.body) > 8 * 1024:
        return [f"no small problem, but {len(reply.body)} bytes of {reply.kind}"]
    problem = ProblemReply.model_validate_json(reply.body)
    if problem.code not in case.codes:
        return [f"expected {sorted(case.codes)}"]
    if not reply.status == problem.status == STATUS[problem.code].status:
        return ["the status is not the code's"]
    return []


def send_all(
    port: int, cases: Sequence[Case], at_once: int, soon_s: float = BOUND_S
) -> list[str]:
    """Send every case, some at once, and return all complaints."""

    def judge(case: Case) -> list[str]:
        try:
            return complaints(case, send(port, case), soon_s)
        except (OSError, http.client.HTTPException, ValueError) as error:
            return [f"{case.name}: no reply: {error!r}"]

    with ThreadPoolExecutor(at_once) as pool:
        return [line for lines in pool.map(judge, cases) for line in lines]


def settled(reply: Reply) -> bytes:
    """Return a reply's body without what is of one request only."""
    return TOLD_ONCE.sub(b"", reply.body)


def memory_kib(process: int, field: str) -> int:
    """Return one of the sizes of a process; 0 if it is gone."""
    with suppress(OSError):
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1])
    return 0


def _below(process: int) -> list[int]:
    with suppress(OSError):
        tasks = list(Path(f"/proc/{process}/task").iterdir())
        text = " ".join((task / "children").read_text() for task in tasks)
        children = [int(word) for word in text.split()]
        return [*children, *(pid for child in children for pid in _below(child))]
    return []


@contextmanager
def watched_children(process: int) -> Iterator[list[int]]:
    """Give a list of one number: the most KiB that a descendant ever had mapped."""
    most, ended = [0], threading.Event()

    def watch() -> None:
        while not ended.wait(0.01):
            for child in _below(process):
                most[0] = max(most[0], memory_kib(child, "VmPeak"))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield most
    finally:
        ended.set()
        thread.join()
