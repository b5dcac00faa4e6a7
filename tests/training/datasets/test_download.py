import hashlib
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from crossmodal.errors import DataError
from training.datasets.download import PinnedFile, download

CONTENT = bytes(range(256)) * 5000


class Server(ThreadingHTTPServer):
    """Serves CONTENT; what it was asked and how it misbehaves is set by the test."""

    ranges: list[str | None]
    cut_after: int | None = None
    extra: bytes = b""
    knows_ranges: bool = True


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.ranges.append(wanted)
        if self.path != "/file":
            self.send_error(404)
            return
        content = CONTENT + self.server.extra
        start = 0
        if wanted and self.server.knows_ranges:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start >= len(content):
                self.send_error(416)
                return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start : self.server.cut_after])

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server(("127.0.0.1", 0), Handler)
    server.ranges = []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def pinned(server: Server, path: str = "/file", content: bytes = CONTENT) -> PinnedFile:
    return PinnedFile(
        name="set.bin",
        url=f"http://127.0.0.1:{server.server_address[1]}{path}",
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
    )


def test_file_arrives_whole_and_is_not_asked_for_again(
    server: Server, tmp_path: Path
) -> None:
    came: list[int] = []
    path = download(pinned(server), tmp_path / "new", advance=came.append)
    assert path.read_bytes() == CONTENT
    assert sum(came) == len(CONTENT)
    assert download(pinned(server), tmp_path / "new") == path
    assert server.ranges == [None]
    assert [p.name for p in path.parent.iterdir()] == ["set.bin"]


@pytest.mark.parametrize("knows_ranges", [True, False])
def test_stopped_download_is_gone_on_with(
    server: Server, tmp_path: Path, knows_ranges: bool
) -> None:
    server.cut_after = 700_000
    with pytest.raises(DataError, match=r"cannot download set\.bin.*580000 bytes early"):
        download(pinned(server), tmp_path)
    assert (tmp_path / "set.bin.part").stat().st_size == 700_000
    server.cut_after, server.knows_ranges = None, knows_ranges
    assert download(pinned(server), tmp_path).read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=700000-"]


def test_other_content_than_pinned_is_not_kept(server: Server, tmp_path: Path) -> None:
    file = pinned(server, content=CONTENT[:-1] + b"x")
    with pytest.raises(DataError, match=r"other content than pinned.*kept nothing"):
        download(file, tmp_path)
    assert not list(tmp_path.iterdir())


def test_longer_file_is_cut_off(server: Server, tmp_path: Path) -> None:
    server.extra = b"y" * 3_000_000
    with pytest.raises(DataError, match="longer than the 1280000 bytes"):
        download(pinned(server), tmp_path)
    assert not list(tmp_path.iterdir())


def test_useless_beginning_does_not_stand_in_the_way(
    server: Server, tmp_path: Path
) -> None:
    (tmp_path / "set.bin.part").write_bytes(CONTENT[:9] + b"?")
    with pytest.raises(DataError, match="kept nothing"):
        download(pinned(server), tmp_path)
    assert download(pinned(server), tmp_path).read_bytes() == CONTENT


def test_a_file_of_that_name_is_never_overwritten(server: Server, tmp_path: Path) -> None:
    (tmp_path / "set.bin").write_text("mine")
    with pytest.raises(DataError, match=r"has other content than http.*move it away"):
        download(pinned(server), tmp_path)
    assert (tmp_path / "set.bin").read_text() == "mine"
    assert not server.ranges


def test_absent_file_is_named_with_its_address(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"from http://127.*gone: HTTP Error 404"):
        download(pinned(server, "/gone"), tmp_path)


def test_silent_server_is_given_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        file = PinnedFile(
            name="set.bin",
            url=f"http://127.0.0.1:{listener.getsockname()[1]}/file",
            sha256="0" * 64,
            size_bytes=9,
        )
        with pytest.raises(DataError, match="timed out"):
            download(file, tmp_path, timeout_s=0.3)
