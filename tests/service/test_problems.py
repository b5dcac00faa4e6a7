"""Problems: the tables, and what a reply may hold."""

from __future__ import annotations

import inspect

import orjson
import pytest

from crossmodal import errors
from service.openapi import schemas
from service.problems import (
    CODE_OF,
    DETAILS,
    STATUS,
    FieldProblem,
    ProblemError,
    problem_body,
    problem_of,
    problem_response,
)
from service.searching.parameters import ClipParameters, validate

# RELIABILITY's status map, as far as this build can reach it
DOCUMENTED = {
    400: {"malformed-request"},
    401: {"unauthenticated"},
    403: {"forbidden"},
    404: {"not-found"},
    405: {"method-not-allowed"},
    408: {"request-timeout"},
    409: {"idempotency-conflict", "model-mismatch"},
    411: {"length-required"},
    413: {"too-large"},
    415: {"unsupported-media"},
    416: {"range-not-satisfiable"},
    422: {
        "undecodable",
        "media-too-long",
        "media-too-big",
        "no-usable-track",
        "unknown-modality",
        "bad-vector",
        "invalid-field",
    },
    429: {"busy", "rate-limited"},
    500: {"internal"},
    503: {"not-ready", "shutting-down", "encoder-failing"},
    507: {"storage-full"},
}


def test_codes_have_the_documented_statuses() -> None:
    table: dict[int, set[str]] = {}
    for code, kind in STATUS.items():
        table.setdefault(kind.status, set()).add(code)
    assert table == DOCUMENTED


def test_every_code_named_anywhere_exists() -> None:
    assert set(CODE_OF.values()) <= set(STATUS)
    assert set(DETAILS) <= set(STATUS)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.MediaTooLongError("700 s"), "media-too-long"),
        (errors.UndecodableError("empty"), "undecodable"),
        (errors.NoTrackError("no sound"), "no-usable-track"),
        (errors.UnknownItemError("x"), "not-found"),
        (errors.BundleError("/secret/path"), "internal"),
        (ValueError("boom"), "internal"),
    ],
)
def test_exceptions_map_along_their_bases(error: Exception, code: str) -> None:
    assert problem_of(error).code == code


def test_every_media_error_is_the_clients_to_mend() -> None:
    kinds = [
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, errors.MediaError)
    ]
    assert len(kinds) > 4
    assert all(400 <= STATUS[problem_of(kind("x")).code].status < 500 for kind in kinds)


def test_messages_of_silent_errors_do_not_leave() -> None:
    secret = "/var/lib/earshot/items.db"
    for kind in (errors.CollectionError, errors.ModalityError, errors.BundleError, OSError):
        assert secret not in problem_of(kind(secret)).detail


@pytest.mark.parametrize(
    "error",
    [errors.UnknownItemError("no such item"), errors.UnknownJobError("no such job")],
)
def test_what_is_unknown_is_named(error: Exception) -> None:
    assert problem_of(error).detail == str(error)


def test_messages_bear_no_kind_of_error() -> None:
    with pytest.raises(ProblemError) as caught:
        validate(ClipParameters, {"start": 2.0, "end": 1.0})
    assert caught.value.detail == "body: end must be greater than start"
    with pytest.raises(ProblemError) as caught:
        validate(ClipParameters, {"start": "2"})
    assert caught.value.detail == "start: Input should be a valid number"


def test_the_body_validates_and_stays_within_8_kib() -> None:
    worst = ProblemError(
        "invalid-field",
        "é" * 5000,
        errors=[FieldProblem("f" * 500, "m" * 500) for _ in range(500)],
    )
    body = problem_body(worst, "r" * 64)
    assert len(body) <= 8 * 1024
    parsed = schemas.ProblemReply.model_validate(orjson.loads(body))
    assert len(parsed.errors) == 20
    assert parsed.status == 422


@pytest.mark.parametrize("code", [c for c, k in STATUS.items() if k.status in (429, 503)])
def test_replies_that_ask_for_patience_say_how_long(code: str) -> None:
    response = problem_response(ProblemError(code, "x"), "r")
    assert int(response.headers["retry-after"]) >= 1
    assert response.headers["content-type"] == "application/problem+json"
