"""Problems: every error a client can meet, as RFC 9457 ``application/problem+json``.

Two tables say it all: `STATUS` gives each stable code its HTTP status and title,
`CODE_OF` gives each exception its code. Nothing else in the project knows a status.
A reply never holds a path, a traceback, an internal name or the offending value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from crossmodal import errors

MEDIA_TYPE = "application/problem+json"
MAX_ERRORS = 20
RETRY_AFTER_S = {"busy": 1, "not-ready": 2}
DEFAULT_RETRY_AFTER_S = 5


class Kind(NamedTuple):
    """What a code stands for."""

    status: int
    title: str


STATUS: Mapping[str, Kind] = {
    "malformed-request": Kind(400, "The request is malformed"),
    "unauthenticated": Kind(401, "A valid key is required"),
    "forbidden": Kind(403, "This is not allowed"),
    "not-found": Kind(404, "There is no such thing here"),
    "method-not-allowed": Kind(405, "The method is not allowed here"),
    "request-timeout": Kind(408, "The request came too slowly"),
    "idempotency-conflict": Kind(409, "The idempotency key stands for another request"),
    "model-mismatch": Kind(409, "The collection was embedded by another model"),
    "length-required": Kind(411, "The length of the body is not given"),
    "too-large": Kind(413, "The body is too large"),
    "unsupported-media": Kind(415, "The media type is not supported"),
    "range-not-satisfiable": Kind(416, "The range is not satisfiable"),
    "undecodable": Kind(422, "The file cannot be decoded"),
    "media-too-long": Kind(422, "The clip is too long"),
    "media-too-big": Kind(422, "The clip is too big"),
    "no-usable-track": Kind(422, "The clip has no usable track of that modality"),
    "unknown-modality": Kind(422, "Modality or direction is unknown here"),
    "bad-vector": Kind(422, "The numbers cannot serve as a vector or features"),
    "invalid-field": Kind(422, "A field is invalid"),
    "busy": Kind(429, "The service is busy"),
    "rate-limited": Kind(429, "Too many requests"),
    "internal": Kind(500, "Something went wrong here"),
    "not-ready": Kind(503, "The service is not ready"),
    "shutting-down": Kind(503, "The service is shutting down"),
    "encoder-failing": Kind(503, "The encoder is failing"),
    "storage-full": Kind(507, "There is no space left to store more"),
}

# Looked up along the exception's base classes, so that a subclass may be left out.
CODE_OF: Mapping[type[BaseException], str] = {
    errors.UnsupportedMediaError: "unsupported-media",
    errors.MediaTooLongError: "media-too-long",
    errors.MediaTooBigError: "media-too-big",
    errors.NoTrackError: "no-usable-track",
    errors.MediaError: "undecodable",
    errors.DecoderBusyError: "busy",
    errors.ShapeError: "bad-vector",
    errors.ModalityError: "unknown-modality",
    errors.UnknownItemError: "not-found",
    errors.UnknownJobError: "not-found",
    errors.ModelMismatchError: "model-mismatch",
    errors.IdempotencyConflictError: "idempotency-conflict",
    errors.StorageFullError: "storage-full",
    errors.CollectionError: "not-ready",
    errors.FrontEndError: "encoder-failing",
    ClientDisconnect: "malformed-request",
}

# Messages of these are written for whoever sent the request; those of other errors may
# name files or repeat what was sent.
SPEAKING = (
    errors.MediaError,
    errors.ShapeError,
    errors.UnknownItemError,
    errors.UnknownJobError,
    errors.WritingFailedError,
)
DETAILS: Mapping[str, str] = {
    "unknown-modality": "expected modalities and directions that GET /collection lists",
    "not-found": "no such route; GET /openapi.json lists them",
    "method-not-allowed": "the header Allow names the methods of this path",
    "busy": "every place is taken; try again shortly",
    "model-mismatch": "rebuild the collection with the bundle it is served with",
    "idempotency-conflict": "this key was used for another request; take a new one",
    "storage-full": "delete items, or free space; searches and deletions go on",
    "not-ready": "the collection cannot be used at the moment; see GET /readyz",
    "encoder-failing": "media cannot be embedded at the moment; see GET /readyz",
    "shutting-down": "try again, or ask another replica",
    "internal": "the failure was recorded under this request id",
}


class FieldProblem(NamedTuple):
    """One thing wrong with one field; ``field`` is its dotted place in the request."""

    field: str
    message: str


def message_of(error: Mapping[str, Any]) -> str:
    """Return the message of one of pydantic's errors, without the kind it puts before."""
    message: str = error["msg"]
    return message.removeprefix("Value error, ")


class ProblemError(Exception):
    """An error of the HTTP layer itself, raised where it is noticed."""

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        errors: Sequence[FieldProblem] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Name a code of `STATUS` and say what was expected."""
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})


def invalid_field(field: str, message: str) -> ProblemError:
    """Return the 422 that names one field."""
    return ProblemError(
        "invalid-field", f"{field}: {message}", errors=[FieldProblem(field, message)]
    )


def problem_of(error: BaseException) -> ProblemError:
    """Return what a client may learn of an exception."""
    if isinstance(error, ProblemError):
        return error
    code = next((CODE_OF[base] for base in type(error).__mro__ if base in CODE_OF), None)
    if code is None:
        return ProblemError("internal", DETAILS["internal"])
    if isinstance(error, SPEAKING):
        return ProblemError(code, _printable(str(error)))
    return ProblemError(code, DETAILS.get(code, STATUS[code].title))


def problem_response(problem: ProblemError, request_id: str) -> Response:
    """Return the reply, of at most 8 KiB."""
    kind = STATUS[problem.code]
    headers = dict(problem.headers)
    if kind.status in (429, 503):
        wait_s = RETRY_AFTER_S.get(problem.code, DEFAULT_RETRY_AFTER_S)
        headers.setdefault("retry-after", str(wait_s))
    return Response(
        problem_body(problem, request_id),
        status_code=kind.status,
        headers=headers,
        media_type=MEDIA_TYPE,
    )


def problem_body(problem: ProblemError, request_id: str) -> bytes:
    """Return the JSON of a problem, of at most 8 KiB."""
    return orjson.dumps(problem_fields(problem, request_id))


def problem_fields(problem: ProblemError, request_id: str) -> dict[str, Any]:
    """Return the members of a problem; see `STATUS` for the codes."""
    kind = STATUS[problem.code]
    body: dict[str, Any] = {
        "type": f"urn:earshot:problem:{problem.code}",
        "title": kind.title,
        "status": kind.status,
        "detail": problem.detail[:1000],
        "instance": f"urn:earshot:request:{request_id}",
        "code": problem.code,
        "request_id": request_id,
    }
    listed = [
        {"field": error.field[:64], "message": error.message[:200]}
        for error in problem.errors[:MAX_ERRORS]
    ]
    if listed:
        body["errors"] = listed
    return body


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)
