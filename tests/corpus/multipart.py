"""Multipart: forms that are broken, and forms that hide something."""

from __future__ import annotations

from tests.corpus.case import BOUNDARY, END, FORM, HEAR, OK, SEARCH, Case, form, part
from tests.corpus.clips import clip

BAD, FIELD = "malformed-request", "invalid-field"


def cases() -> list[Case]:
    """Return 28 cases."""
    return [*_boundaries(), *_parts(), *_file_names(), *_lengths()]


def _boundaries() -> list[Case]:
    body, plain = part("file", b"x") + END, "multipart/form-data"
    long = "b" * 300
    return [
        form("form no boundary", body, BAD, kind=plain),
        form("form empty boundary", body, BAD, kind=f"{plain}; boundary="),
        form("form other boundary", body, BAD, kind=f"{plain}; boundary=other"),
        form(
            "form long boundary",
            body.replace(BOUNDARY.encode(), long.encode()),
            BAD,
            kind=f"{plain}; boundary={long}",
        ),
        form("form no end", part("file", b"x"), BAD),
        form("form empty", b"", BAD),
        form("form only end", END, FIELD, BAD),
        form("form big preamble", bytes(1 << 20) + body, BAD),
        form("form line feeds", body.replace(b"\r\n", b"\n"), BAD),
    ]


def _parts() -> list[Case]:
    start, body = f"--{BOUNDARY}\r\n".encode(), part("file", b"x")
    rest = b"\r\nx\r\n" + END
    many = b"".join(part(f"p{number}", b"") for number in range(100_000))
    return [
        form("form many parts", many + END, FIELD),
        form("form many headers", start + b"A: b\r\n" * 100_000 + rest, BAD),
        form("form long header", start + b"A: " + b"b" * (1 << 20) + b"\r\n" + rest, BAD),
        form("form twice", body + body + END, FIELD),
        form("form unknown part", body + part("other", b"x") + END, FIELD),
        form("form nameless", start + b"X: y\r\n" + rest, BAD),
        form("form broken params", part("params", b"{") + body + END, BAD),
        form("form large params", part("params", b" " * 300_000) + body + END, "too-large"),
    ]


def _file_names() -> list[Case]:
    wav = clip("wav")
    names = {
        "traversal": ('; filename="../../etc/passwd"', (OK,)),
        "nul": ('; filename="a\x00b"', (OK, BAD)),
        "64 KiB": (f'; filename="{"x" * 65_536}"', (BAD,)),
        "right to left": ('; filename="\u202egpj.exe"'.encode().decode("latin-1"), (OK,)),
        "extended": ("; filename*=UTF-8''%2e%2e%2f", (OK,)),
        "quoted": ('; filename="a\\"; name=\\"params"', (OK, BAD)),
    }
    return [
        form(f"file name {name}", part("file", wav, extra) + END, *codes, path=HEAR)
        for name, (extra, codes) in names.items()
    ]


def _lengths() -> list[Case]:
    body = part("file", b"x") + END

    def lying(name: str, *codes: str, **headers: str) -> Case:
        pairs = tuple((key.replace("_", "-"), value) for key, value in headers.items())
        return form(f"length {name}", body, *codes, kind=FORM, path=SEARCH, headers=pairs)

    return [
        lying("negative", BAD, Content_Length="-5"),
        lying("word", BAD, Content_Length="ten"),
        lying("huge", BAD, "too-large", Content_Length="1" * 30),
        lying("too large", "too-large", Content_Length=str(1 << 33)),
        lying(
            "beside chunks",
            *(BAD, "unsupported-media"),
            Content_Length=str(len(body)),
            Transfer_Encoding="chunked",
        ),
    ]
