"""Batches: several searches in one request, each answered for itself, all in one view."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import Field

from crossmodal.modality import Direction
from index.views.view import View
from service.http.handlers import record
from service.problems import STATUS, ProblemError, invalid_field, problem_fields, problem_of
from service.runtime import Runtime
from service.searching.answering import answer_search, served_direction
from service.searching.parameters import SearchParameters, Strict
from service.searching.queries import Given, choose_query

MAX_SEARCHES = 256
MAX_RESULTS = 10_000  # of all searches together; a result with its vector counts tenfold
VECTOR_COST = 10
SOURCES = ("vector", "features", "id")


class BatchRequest(Strict):
    """Several searches; each bears its direction, its query and its parameters."""

    searches: list[dict[str, Any]] = Field(min_length=1, max_length=MAX_SEARCHES)


class _Search(NamedTuple):
    direction: Direction
    given: Given[SearchParameters]


def answer_batch(
    service: Runtime, view: View, batch: BatchRequest, request_id: str
) -> list[dict[str, Any]]:
    """Return ``{status, body}`` per search, in order; runs in a thread.

    Raises:
        ProblemError: ``invalid-field``, if they ask for too many results together.
    """
    read = [_attempt(request_id, _read, service, view, one) for one in batch.searches]
    _check_results([one for one in read if isinstance(one, _Search)])
    answered = []
    for one in read:
        if isinstance(one, _Search):
            one = _attempt(request_id, _answer, service, view, one)
        if isinstance(one, ProblemError):
            service.telemetry.problem(one.code)
            status, body = STATUS[one.code].status, problem_fields(one, request_id)
        else:
            status, body = 200, {**one, "request_id": request_id}
        answered.append({"status": status, "body": body})
    return answered


def _attempt(request_id: str, step: Any, *arguments: Any) -> Any:
    """Return what a step returns, or the problem that it met."""
    try:
        return step(*arguments)
    except Exception as error:  # one search must not take the others with it
        problem = problem_of(error)
        record(error, problem, request_id)
        return problem


def _read(service: Runtime, view: View, fields: Mapping[str, Any]) -> _Search:
    given = dict(fields)
    text = given.pop("direction", None)
    if not isinstance(text, str):
        raise invalid_field("direction", "expected QUERY2GALLERY, as in audio2visual")
    direction = served_direction(service.bundle_of(view), view, text)
    return _Search(direction, choose_query(given, SearchParameters, SOURCES))


def _answer(service: Runtime, view: View, one: _Search) -> dict[str, Any]:
    started = time.perf_counter()
    body = answer_search(service, view, one.direction, one.given)
    service.telemetry.stages(body["took_ms"])
    body["took_ms"]["total"] = round(1e3 * (time.perf_counter() - started), 3)
    return body


def _check_results(searches: Sequence[_Search]) -> None:
    total = sum(
        one.given.parameters.k * (VECTOR_COST if one.given.parameters.with_vector else 1)
        for one in searches
    )
    if total > MAX_RESULTS:
        raise invalid_field(
            "searches",
            f"expected a sum of k up to {MAX_RESULTS}, {VECTOR_COST} times k with_vector",
        )
