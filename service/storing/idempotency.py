"""Idempotency: a client's key makes a request that is sent again be answered, not done.

Keys belong to whoever sent them: of two holders of API keys neither can meet, or learn
of, a key of the other. Without API keys all clients are one owner.
"""

from __future__ import annotations

import hashlib
import re

from starlette.requests import Request

from index.writing.operations import Idempotency
from service.access.keys import Key
from service.dependencies import KEY
from service.problems import invalid_field

HEADER = "idempotency-key"
_ACCEPTED = re.compile(r"[\x21-\x7e]{1,200}")


def idempotency_key(request: Request) -> str | None:
    """Return the request's key, told apart from those of other owners; None without one.

    Raises:
        ProblemError: ``invalid-field``, if it is not 1 to 200 visible ASCII characters,
            or comes twice.
    """
    values = request.headers.getlist(HEADER)
    if not values:
        return None
    if len(values) > 1 or not _ACCEPTED.fullmatch(values[0]):
        raise invalid_field("Idempotency-Key", "expected 1 to 200 visible ASCII characters")
    key: Key | None = request.scope.get(KEY)
    owner = "" if key is None else key.digest.hex()[:32]
    return f"{owner}:{values[0]}"


def idempotency(
    key: str | None, request: Request, *parts: bytes | bytearray
) -> Idempotency | None:
    """Return what the index is to know of a request with a key; None without one.

    Two requests are the same if method, path, query and parts are. The model does not
    matter: what it embedded before a change is embedded anew by the change.

    Args:
        key: As `idempotency_key` returned it.
        request: The request.
        parts: The body, or those of its parts that count, in a fixed order.
    """
    if key is None:
        return None
    scope = request.scope
    head = (scope["method"].encode(), scope["path"].encode(), scope["query_string"])
    digest = hashlib.sha256()
    for part in (*head, *parts):
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return Idempotency(key=key, request_sha256=digest.hexdigest())
