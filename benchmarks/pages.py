"""Pages of which a part, between two marks, is written by a command."""

from __future__ import annotations


def between_marks(page: str, name: str, text: str) -> str:
    """Return the page with the text between the two marks of this name.

    Raises:
        SystemExit: If the page lacks the marks.
    """
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, found, rest = page.partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise SystemExit(f"expected the marks {begin} and {end}")
    return f"{before}{begin}\n{text}\n{end}{after}"
