"""Pages of a database file and its log, read without SQLite, which refuses damaged files.

Source:
    SQLite, Database File Format, sections 1.2 to 1.5 and 4.
"""

from __future__ import annotations

import mmap
import struct
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

Content = bytes | mmap.mmap

PAGE_SIZE = 4096  # of every file of ours, where the header cannot tell
_MAGIC = b"SQLite format 3\0"
_LOG_HEADER, _FRAME_HEADER = 32, 24
_BIG_ENDIAN_LOG = b"\x37\x7f\x06\x83"


class _Frame(NamedTuple):
    """A page in the log: whether it ends a transaction, and whether its checksum holds."""

    page: int
    commits: bool
    whole: bool
    content: memoryview


class Pages:
    """The newest version of each page that can be read, numbered from 1.

    Attributes:
        size: The bytes of a page.
        missing: How many pages the header tells of that are not there.
        broken_frames: How many pages of the log, up to its last commit, cannot be read.
        free: The pages that the header says are in no table: what stands on them was
            deleted. None if the header and the list that it begins do not agree.
    """

    def __init__(self, database: Content, log: Content = b"") -> None:
        """Take the contents of the two files."""
        self.size = _page_size(database, log)
        whole = len(database) - len(database) % self.size
        view = memoryview(database)
        self._pages = {
            number: view[start : start + self.size]
            for number, start in enumerate(range(0, whole, self.size), start=1)
        }
        frames = list(_frames(log, self.size))
        last = max((n for n, frame in enumerate(frames) if frame.commits), default=-1)
        for frame in frames[: last + 1]:  # what comes after was never acknowledged
            if frame.whole:
                self._pages[frame.page] = frame.content
        self.broken_frames = sum(not frame.whole for frame in frames[: last + 1])
        first = self._pages.get(1)
        header = b"" if first is None else bytes(first[:100])
        self.missing, self.free = 0, None
        if header[:16] == _MAGIC:
            (told,) = struct.unpack(">I", header[28:32])
            self.missing = max(0, told - len(self._pages))
            self.free = self._free(*struct.unpack(">2I", header[32:40]))

    def __iter__(self) -> Iterator[int]:
        return iter(sorted(self._pages))

    def page(self, number: int) -> memoryview | None:
        """Return a page; None if there is no such page."""
        return self._pages.get(number)

    def _free(self, trunk: int, told: int) -> frozenset[int] | None:
        free: set[int] = set()
        while trunk not in free and (page := self._pages.get(trunk)) is not None:
            free.add(trunk)
            trunk, count = struct.unpack(">2I", page[:8])
            if count > self.size // 4 - 2:
                return None
            free.update(struct.unpack(f">{count}I", page[8 : 8 + 4 * count]))
        known = len(free) == told and free <= self._pages.keys()
        return frozenset(free) if known else None


def _page_size(database: Content, log: Content) -> int:
    told = 0
    if database[:16] == _MAGIC:
        told = int.from_bytes(database[16:18], "big")
    elif len(log) >= _LOG_HEADER:
        told = int.from_bytes(log[8:12], "big")
    told = 65536 if told == 1 else told
    return told if told.bit_count() == 1 and 512 <= told <= 65536 else PAGE_SIZE


def _frames(log: Content, page_size: int) -> Iterator[_Frame]:
    """Yield the frames of the log's last life, which are those up to the last of its salts.

    A frame's checksum goes on from the one before, as it is written there or as it should
    have been; so a broken frame hides no later one, but that several broken ones may hide
    the one that follows them.
    """
    order = ">" if log[:4] == _BIG_ENDIAN_LOG else "<"
    view, step = memoryview(log), _FRAME_HEADER + page_size
    starts = range(_LOG_HEADER, len(log) - step + 1, step)
    salts = [log[start + 8 : start + 16] for start in starts]
    told = Counter([log[16:24], *salts[:2]]).most_common(1)[0][0]
    last = max((n for n, its in enumerate(salts) if its == told), default=-1)
    before = {struct.unpack(">2I", log[24:32])} if starts else set()
    for start, its in zip(starts[: last + 1], salts, strict=False):
        page, commits = struct.unpack(">2I", log[start : start + 8])
        written = struct.unpack(">2I", log[start + 16 : start + 24])
        content = view[start + _FRAME_HEADER : start + step]
        due = {_checksum(one, log[start : start + 8], content, order) for one in before}
        whole = its == told and written in due
        yield _Frame(page, its == told and bool(commits), whole, content)
        before = {written} if whole or len(due) > 2 else {written, *due}


def _checksum(
    before: tuple[int, ...], head: bytes, content: memoryview, order: str
) -> tuple[int, ...]:
    first, second = before
    for part in (head, content):
        words = struct.unpack(f"{order}{len(part) // 4}I", part)
        for one, other in zip(words[::2], words[1::2], strict=True):
            first = (first + one + second) & 0xFFFFFFFF
            second = (second + other + first) & 0xFFFFFFFF
    return first, second
