"""Media: whole files, ranges of them, and nothing beside them."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest

from service.http.ranges import parse_range
from service.problems import ProblemError

pytestmark = pytest.mark.anyio


@pytest.fixture
def sound(clips: Any) -> bytes:
    data: bytes = clips["sound"]
    return data


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("bytes=0-", (0, 99)),
        ("bytes=0-0", (0, 0)),
        ("bytes=10-19", (10, 19)),
        ("bytes=90-1000", (90, 99)),
        ("bytes=-10", (90, 99)),
        ("bytes=-1000", (0, 99)),
        ("BYTES = 5-6".replace(" ", ""), (5, 6)),
        ("bytes=9-5", None),
        ("bytes=-", None),
        ("bytes=a-b", None),
        ("bytes", None),
        ("items=0-5", None),
        ("bytes=0-1,3-4", None),
        ("bytes=" + ",".join(["0-0"] * 16), None),
    ],
)
def test_ranges(header: str | None, expected: tuple[int, int] | None) -> None:
    assert parse_range(header, 100) == expected


@pytest.mark.parametrize(
    "header",
    [
        "bytes=100-",
        "bytes=500-600",
        "bytes=-0",
        "bytes=" + ",".join(["0-0"] * 17),
        "bytes=" + ",".join(f"{n}-{n}" for n in range(10_000)),
    ],
)
def test_ranges_that_cannot_be_had(header: str) -> None:
    with pytest.raises(ProblemError, match="within the 100 bytes") as caught:
        parse_range(header, 100)
    assert caught.value.code == "range-not-satisfiable"
    assert caught.value.headers["content-range"] == "bytes */100"


def test_nothing_of_an_empty_file_can_be_had() -> None:
    with pytest.raises(ProblemError, match="0 bytes"):
        parse_range("bytes=0-", 0)


async def test_the_whole_file_is_sent_as_it_is(
    client: httpx.AsyncClient, sound: bytes, collection: Any
) -> None:
    reply = await client.get("/media/i00")
    assert reply.status_code == 200
    assert reply.content == sound
    assert reply.headers["content-type"] == "audio/wav"
    assert reply.headers["content-length"] == str(len(sound))
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["content-disposition"].startswith("attachment")
    assert reply.headers["etag"] == f'"{collection.view.item("i00").media_sha256}"'


async def test_head_has_the_headers_and_no_body(
    client: httpx.AsyncClient, sound: bytes
) -> None:
    reply = await client.head("/media/i00", headers={"range": "bytes=5-9"})
    assert reply.status_code == 206
    assert reply.content == b""
    assert reply.headers["content-length"] == "5"
    assert reply.headers["content-range"] == f"bytes 5-9/{len(sound)}"


@pytest.mark.parametrize(
    ("header", "part"),
    [
        ("bytes=0-0", slice(0, 1)),
        ("bytes=100-199", slice(100, 200)),
        ("bytes=-7", slice(-7, None)),
    ],
)
async def test_a_range_is_sent_as_206(
    client: httpx.AsyncClient, sound: bytes, header: str, part: slice
) -> None:
    reply = await client.get("/media/i00", headers={"range": header})
    assert reply.status_code == 206
    assert reply.content == sound[part]


async def test_a_range_beyond_the_end_is_416(
    client: httpx.AsyncClient, sound: bytes
) -> None:
    reply = await client.get("/media/i00", headers={"range": f"bytes={len(sound)}-"})
    assert reply.status_code == 416
    assert reply.json()["code"] == "range-not-satisfiable"
    assert reply.headers["content-range"] == f"bytes */{len(sound)}"


@pytest.mark.parametrize(
    "header",
    [
        "bytes=" + ",".join(f"{n}-{n}" for n in range(100_000)),
        "bytes=" + ",".join(["0-"] * 100_000),
        "bytes=" + "0-," * 16 + "-" * 1_000_000,
        "bytes=" + "9" * 1_000_000 + "-",
        "bytes=" + "-" * 1_000_000,
        "bytes=5-4,3-2,1-0",
        "lines=" + "0-1," * 100_000,
        ",;=" * 300_000,
    ],
)
async def test_no_range_takes_long(client: httpx.AsyncClient, header: str) -> None:
    """So long that what grows with the square of its length would take minutes."""
    before_s = time.process_time()
    reply = await client.get("/media/i00", headers={"range": header})
    assert reply.status_code in (200, 416)
    assert time.process_time() - before_s < 30


async def test_conditions_go_by_content(client: httpx.AsyncClient, sound: bytes) -> None:
    etag = (await client.get("/media/i00")).headers["etag"]

    async def get(**headers: str) -> httpx.Response:
        return await client.get(
            "/media/i00", headers={k.replace("_", "-"): v for k, v in headers.items()}
        )

    assert (await get(if_none_match=etag)).status_code == 304
    assert (await get(if_none_match=f'"other", W/{etag}')).status_code == 304
    assert (await get(if_none_match='"other"')).status_code == 200
    assert (await get(if_range=etag, range="bytes=0-4")).status_code == 206
    stale = await get(if_range='"other"', range="bytes=0-4")
    assert (stale.status_code, stale.content) == (200, sound)


@pytest.mark.parametrize("item_id", ["i05", "absent", "%2e%2e%2fitems.db", "i00%00"])
async def test_what_has_no_media_is_404(client: httpx.AsyncClient, item_id: str) -> None:
    reply = await client.get(f"/media/{item_id}")
    assert reply.status_code == 404
    assert reply.json()["code"] == "not-found"
