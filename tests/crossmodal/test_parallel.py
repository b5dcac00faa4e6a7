from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest
from threadpoolctl import ThreadpoolController, threadpool_limits

from crossmodal import parallel
from crossmodal.parallel import in_parallel

MATRIX = np.eye(2)


def blas_threads() -> set[int]:
    assert (MATRIX @ MATRIX).any()
    blas = ThreadpoolController().select(user_api="blas").info()
    return {library["num_threads"] for library in blas}


@pytest.fixture(autouse=True)
def two_blas_threads() -> Iterator[None]:
    with threadpool_limits(2, user_api="blas"):
        yield


def test_results_come_in_the_order_of_the_items() -> None:
    first_may_end = threading.Event()

    def work(item: int) -> int:
        if item == 0:
            first_may_end.wait(5)
        if item == 1:
            first_may_end.set()
        return item * item

    assert list(in_parallel(work, range(20))) == [n * n for n in range(20)]


def test_blas_keeps_to_one_thread_meanwhile_and_has_its_own_again_after() -> None:
    assert list(in_parallel(lambda _: blas_threads(), range(3))) == [{1}] * 3
    assert blas_threads() == {2}


def test_uses_overlap_without_losing_the_limit_that_was() -> None:
    outer, inner = in_parallel(abs, range(9)), in_parallel(abs, range(9))
    next(outer)
    next(inner)
    outer.close()
    assert blas_threads() == {1}
    inner.close()
    assert blas_threads() == {2}


@pytest.mark.parametrize("share", [1, 2])
def test_no_more_threads_work_than_blas_was_given(share: int) -> None:
    busy, most, lock = 0, 0, threading.Lock()
    crowd, together = threading.Semaphore(0), threading.Barrier(share)

    def work(item: int) -> None:
        nonlocal busy, most
        with lock:
            busy += 1
            most = max(most, busy)
        if item < share:
            together.wait(60)
        crowd.acquire(timeout=0.05)
        with lock:
            busy -= 1

    with threadpool_limits(share, user_api="blas"):
        list(in_parallel(work, range(8)))
    assert most == share


def test_items_are_taken_as_results_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "MOST_THREADS", 2)
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    results = in_parallel(abs, items())
    next(results)
    assert len(taken) == 4
    results.close()


def test_an_error_in_the_work_reaches_the_caller_and_frees_blas() -> None:
    def work(item: int) -> int:
        if item == 2:
            raise ValueError("item 2 is bad")
        return item

    with pytest.raises(ValueError, match="item 2 is bad"):
        list(in_parallel(work, range(5)))
    assert blas_threads() == {2}
