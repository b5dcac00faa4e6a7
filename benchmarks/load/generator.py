"""The load generator: requests at set times over many connections, from one thread.

Open loop: every request is due at a time that was drawn before the run, and its latency
counts from then. A server that stalls is told so by every request that was due meanwhile,
whether or not a connection was free to send it; a generator that waits for answers before
it asks again would count the stall once (coordinated omission). Closed loop: each
connection asks again as soon as it was answered, which finds the peak rate.
"""

from __future__ import annotations

import select
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

import numpy as np

from benchmarks.load.connection import Connection
from benchmarks.load.outcome import Outcome


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to send.

    Attributes:
        port: Where on 127.0.0.1.
        request: Gives the bytes of the n-th request.
        connections: How many, all open before the first request.
        seconds: How long requests are due, or in a closed loop are sent.
        due_s: When each is due, ascending; None for a closed loop.
        drain_s: How long after that requests that are overdue may still be sent.
        grace_s: How long after that answers are waited for.
    """

    port: int
    request: Callable[[int], bytes]
    connections: int
    seconds: float
    due_s: np.ndarray | None = None
    drain_s: float = 60.0
    grace_s: float = 60.0

    @property
    def longest_s(self) -> float:
        """No run takes longer than this, but for a moment."""
        return self.seconds + self.drain_s + self.grace_s


def drive(plan: Plan) -> Outcome:
    """Send the plan's requests and return what became of each.

    Raises:
        OSError: If no connection can be made.
    """
    return _Run(plan).go()


class _Run:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.due = None if plan.due_s is None else plan.due_s.tolist()
        self.entries: list[tuple[int, float, float, float, int, bool]] = []
        self.lags: list[float] = []
        self.resets = 0
        self.next = 0
        self.under_way: dict[int, tuple[Connection, float, float]] = {}
        self.poll = select.epoll()
        self.idle: deque[Connection] = deque()
        self.by_descriptor: dict[int, Connection] = {}

    def go(self) -> Outcome:
        try:
            for _ in range(self.plan.connections):
                self.idle.append(Connection(self.plan.port))
                self._watch(self.idle[-1])
            return self._go()
        finally:
            for connection in self.by_descriptor.values():
                connection.close()
            self.poll.close()

    def _go(self) -> Outcome:
        before = time.process_time()
        self.started = time.perf_counter()
        end, stop = self.plan.seconds + self.plan.drain_s, self.plan.longest_s
        if self.due is None:
            end = self.plan.seconds
        while (now := self._now()) < stop:
            if now < end or (self.due is None and not self.next):
                self._send_what_is_due(now)
            if not self.under_way and (now >= end or not self._more()):
                break
            for descriptor, event in self._events(now, end, stop):
                self._happened(descriptor, event)
        elapsed = self._now()
        busy = (time.process_time() - before) / elapsed
        return self._outcome(elapsed, busy)

    def _now(self) -> float:
        return time.perf_counter() - self.started

    def _more(self) -> bool:
        return self.due is None or self.next < len(self.due)

    def _send_what_is_due(self, now: float) -> None:
        while self.idle and self._more():
            due = now if self.due is None else self.due[self.next]
            if due > now:
                break
            connection = self.idle.popleft()
            connection.number, self.next = self.next, self.next + 1
            request = self.plan.request(connection.number)
            sent = self._now()
            self.lags.append(sent - max(due, connection.idle_since_s))
            self.under_way[connection.fileno] = (connection, due, sent)
            try:
                if not connection.send(request):
                    self.poll.modify(connection.fileno, select.EPOLLIN | select.EPOLLOUT)
            except ConnectionError:
                self._lost(connection)
            now = self._now()

    def _events(self, now: float, end: float, stop: float) -> list[tuple[int, int]]:
        """Wait for an answer or the next due time; epoll alone is late by up to 1 ms."""
        until = stop if now >= end else end
        if now < end and self.idle and self._more() and self.due is not None:
            until = min(until, self.due[self.next])
        wait = max(0.0, until - now)
        if not select.select([self.poll.fileno()], [], [], wait)[0]:
            return []
        return self.poll.poll(0)

    def _happened(self, descriptor: int, event: int) -> None:
        connection = self.by_descriptor[descriptor]
        try:
            if event & select.EPOLLOUT and connection.resume():
                self.poll.modify(descriptor, select.EPOLLIN)
            if not event & ~select.EPOLLOUT:
                return
            answer = connection.receive()
        except ConnectionError:
            self._lost(connection)
            return
        if answer is None:
            return
        if descriptor not in self.under_way:
            if answer.status != HTTPStatus.REQUEST_TIMEOUT:
                raise ValueError(f"an answer nobody asked for: {answer}")
            self._renew(connection)  # it stays among the idle
            return
        _, due, sent = self.under_way.pop(descriptor)
        done = self._now()
        entry = (connection.number, due, sent, done, answer.status, answer.retry_after)
        self.entries.append(entry)
        if connection.closing:
            self._renew(connection)
        connection.idle_since_s = done
        self.idle.append(connection)

    def _lost(self, connection: Connection) -> None:
        """Count what was owed, and connect anew; a connection may end between requests."""
        owed = self.under_way.pop(connection.fileno, None)
        if owed is not None:
            self.resets += 1
            _, due, sent = owed
            self.entries.append((connection.number, due, sent, float("nan"), 0, False))
            connection.idle_since_s = self._now()
            self.idle.append(connection)
        self._renew(connection)

    def _renew(self, connection: Connection) -> None:
        self.poll.unregister(connection.fileno)
        del self.by_descriptor[connection.fileno]
        connection.renew()
        self._watch(connection)

    def _watch(self, connection: Connection) -> None:
        self.by_descriptor[connection.fileno] = connection
        self.poll.register(connection.fileno, select.EPOLLIN)

    def _outcome(self, elapsed: float, busy: float) -> Outcome:
        nan = float("nan")
        for connection, due, sent in self.under_way.values():
            self.entries.append((connection.number, due, sent, nan, 0, False))
        if self.due is not None:  # what was due and found no connection
            for number in range(self.next, len(self.due)):
                self.entries.append((number, self.due[number], nan, nan, 0, False))
        columns = list(zip(*self.entries, strict=True)) or [()] * 6
        kinds = (np.int64, np.float64, np.float64, np.float64, np.int64, np.bool_)
        names = ("number", "due_s", "sent_s", "done_s", "status", "retry_after")
        return Outcome(
            **{n: np.array(c, k) for n, c, k in zip(names, columns, kinds, strict=True)},
            lag_s=np.array(self.lags),
            resets=self.resets,
            elapsed_s=elapsed,
            busy=busy,
        )
