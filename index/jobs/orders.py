"""Orders: jobs that are asked for on the machine itself, through the data directory.

Whoever may write to the directory may leave an order there; the process that serves it
takes it for a job of the same id. So paths of this machine need never come over HTTP.
An order is deleted once its job is stored: taking one up twice makes no second job.
"""

from __future__ import annotations

import json
import logging
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

from crossmodal.durable import sync_directory, write_json
from crossmodal.errors import CrossmodalError
from index.storage.job import Job

ORDERS = "orders"
LOOK_S = 0.5
_NAME = re.compile(r"[0-9a-f]{32}\.json")
_log = logging.getLogger(__name__)


class Order(NamedTuple):
    """What is to be done, under the id that its job will have."""

    id: str
    kind: str
    params: Mapping[str, Any]


def place_order(directory: Path, kind: str, params: Mapping[str, Any]) -> str:
    """Leave an order in a data directory, durably, and return its id."""
    orders = _make(directory)
    order_id = uuid4().hex
    write_json(orders / f"{order_id}.json", {"kind": kind, "params": dict(params)})
    return order_id


def withdraw_order(directory: Path, order_id: str) -> bool:
    """Take an order back; tell whether nobody had taken it up."""
    try:
        (directory / ORDERS / f"{order_id}.json").unlink()
    except FileNotFoundError:
        return False
    return True


def read_orders(directory: Path) -> Iterator[Order]:
    """Yield the orders that wait, oldest first; delete what is none."""
    found = [p for p in (directory / ORDERS).glob("*.json") if _NAME.fullmatch(p.name)]
    for path in sorted(found, key=_age):
        try:
            value = json.loads(path.read_bytes())
            yield Order(path.stem, str(value["kind"]), dict(value["params"]))
        except FileNotFoundError:
            continue  # it was withdrawn
        except (OSError, ValueError, TypeError, KeyError) as error:
            _log.warning("an order cannot be read and is deleted: %s", error)
            path.unlink(missing_ok=True)


class OrderWatch:
    """A thread that takes up the orders of a data directory as they come."""

    def __init__(
        self,
        directory: Path,
        take: Callable[[Order], Job],
        reached: Callable[[str], None] = lambda point: None,
    ) -> None:
        """Start watching; ``take`` makes a job of an order, durably."""
        _make(directory)  # so that it belongs to who must delete from it
        self._directory = directory
        self._take = take
        self._reached = reached
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="orders", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread; orders that wait are taken up after the next opening."""
        self._closed.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            for order in read_orders(self._directory):
                try:
                    self._take(order)
                    self._reached("order taken")
                    withdraw_order(self._directory, order.id)
                except (CrossmodalError, OSError) as error:  # it is tried again
                    _log.warning("order not taken up: %s", error)
                    break
            if self._closed.wait(LOOK_S):
                return


def _make(directory: Path) -> Path:
    orders = directory / ORDERS
    if not orders.is_dir():
        orders.mkdir(exist_ok=True)
        sync_directory(directory)
    return orders


def _age(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
