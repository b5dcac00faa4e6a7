"""A case: one request, and everything that may be answered to it."""

from __future__ import annotations

from dataclasses import dataclass

from service.problems import STATUS

OK = "ok"
SEARCH, HEAR, SEE = "/search/audio2visual", "/embed/audio", "/embed/visual"
BOUNDARY = "corpus"
FORM = f"multipart/form-data; boundary={BOUNDARY}"
END = f"--{BOUNDARY}--\r\n".encode()

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Case:
    """One request, sent as it is: a Content-Length is added if no header tells the length.

    ``codes`` are the problems allowed, `OK` among them where the request may succeed;
    a ``bomb`` may take as long as decoding may.
    """

    name: str
    endpoint: str
    headers: Headers
    body: bytes
    codes: frozenset[str]
    bomb: bool = False

    @property
    def statuses(self) -> list[int]:
        """The statuses allowed."""
        return sorted({200 if code == OK else STATUS[code].status for code in self.codes})


def part(name: str, data: bytes, extra: str = "") -> bytes:
    """Return one part of a multipart body."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{extra}\r\n\r\n'
    return head.encode("latin-1") + data + b"\r\n"


def form(
    name: str,
    body: bytes,
    *codes: str,
    kind: str = FORM,
    path: str = SEARCH,
    headers: Headers = (),
) -> Case:
    """Return a case whose multipart body is given."""
    head = (("Content-Type", kind), *headers)
    return Case(name, f"POST {path}", head, body, frozenset(codes))


def upload(
    name: str,
    clip: bytes,
    *codes: str,
    path: str = SEARCH,
    method: str = "POST",
    extra: str = "",
    bomb: bool = False,
) -> Case:
    """Return a case that uploads a clip as it should be uploaded."""
    body = part("file", clip, extra) + END
    head = (("Content-Type", FORM),)
    return Case(name, f"{method} {path}", head, body, frozenset(codes), bomb)


def json_body(
    name: str, text: bytes | str, *codes: str, path: str = SEARCH, method: str = "POST"
) -> Case:
    """Return a case whose body claims to be JSON."""
    body = text.encode() if isinstance(text, str) else text
    head = (("Content-Type", "application/json"),)
    return Case(name, f"{method} {path}", head, body, frozenset(codes))
