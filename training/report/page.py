"""Pages: sections of text, tables and figures as one HTML document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

CSS = Path(__file__).with_name("page.css")


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what stands under it, as HTML."""

    title: str
    body: Sequence[str]

    @property
    def anchor(self) -> str:
        """The heading as the name of a place in the page."""
        return "-".join(self.title.lower().split())


def paragraph(text: str) -> str:
    """Return text as a paragraph."""
    return f"<p>{escape(text)}</p>"


def figure(svg: str, caption: str) -> str:
    """Return a drawing with its caption."""
    return f"<figure>{svg}<figcaption>{escape(caption)}</figcaption></figure>"


def folded(summary: str, body: Sequence[str]) -> str:
    """Return what opens on a click, and in print."""
    inside = "\n".join(body)
    return f"<details><summary>{escape(summary)}</summary>\n{inside}\n</details>"


def code(text: str) -> str:
    """Return text as it is typed."""
    return f"<pre><code>{escape(text)}</code></pre>"


def table(
    headings: Sequence[str],
    lines: Sequence[Sequence[str]],
    *,
    caption: str = "",
    best: Sequence[int] = (),
) -> str:
    """Return a table; cells that read as numbers stand on the right.

    Args:
        headings: One per column; the first column names the lines.
        lines: Cells as text.
        caption: Printed above.
        best: Numbers of the lines to set in bold.
    """
    numeric = [
        all(_reads_as_number(line[column]) for line in lines)
        for column in range(len(headings))
    ]

    def cells(tag: str, line: Sequence[str]) -> str:
        sides = (' class="n"' if number else "" for number in numeric)
        return "".join(
            f"<{tag}{side}>{escape(cell)}</{tag}>"
            for side, cell in zip(sides, line, strict=True)
        )

    marks = [' class="best"' if number in best else "" for number in range(len(lines))]
    body = "\n".join(
        f"<tr{mark}>{cells('td', line)}</tr>"
        for mark, line in zip(marks, lines, strict=True)
    )
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    return (
        f'<div class="wide"><table>{title}<thead><tr>{cells("th", headings)}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody></table></div>"
    )


def document(title: str, lead: Sequence[str], sections: Sequence[Section]) -> str:
    """Return a whole page that asks for nothing from anywhere.

    Args:
        title: Its title.
        lead: HTML before the first section.
        sections: In order; empty ones are left out.
    """
    there = [section for section in sections if section.body]
    contents = "".join(
        f'<li><a href="#{s.anchor}">{escape(s.title)}</a></li>' for s in there
    )
    parts = [
        f'<section id="{s.anchor}"><h2>{escape(s.title)}</h2>\n'
        + "\n".join(s.body)
        + "</section>"
        for s in there
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'; img-src data:\">\n"
        f"<title>{escape(title)}</title>\n<style>\n{CSS.read_text()}</style>\n</head>\n<body>\n"
        f"<header><h1>{escape(title)}</h1>\n" + "\n".join(lead) + "</header>\n"
        f'<nav aria-label="Contents"><ol>{contents}</ol></nav>\n<main>\n'
        + "\n".join(parts)
        + "\n</main>\n</body>\n</html>\n"
    )


def _reads_as_number(cell: str) -> bool:
    text = cell.replace(",", "").replace("±", " ").replace(" to ", " ").strip("*%+ ")
    if text in {"", "-", "best"}:
        return True
    try:
        return bool([float(part) for part in text.split()])
    except ValueError:
        return False
