"""The measured tables of the guides, written from the JSON that was kept in docs/results.

``python -m benchmarks figures`` writes each between its two marks, so that no figure in
them is typed in. What `load`, `capacity` and `kinds` leave under ``var/bench`` is put
there by hand: ``load.json``, ``load_mixed.json``, ``capacity.json`` and ``kinds.json``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.pages import between_marks

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "docs" / "results"
GUIDE = Path("docs/operations.md")
DECISION = Path("docs/decisions/0009-exact-until-it-is-slow.md")
KINDS = {"flat": "flat", "ivf": "lists", "hnsw": "graph"}

Result = Mapping[str, Any]
Row = Sequence[str]


def main() -> None:
    """Write every table into its page."""
    for path, text in pages(ROOT).items():
        path.write_text(text)
        print(path.relative_to(ROOT))


def pages(root: Path) -> dict[Path, str]:
    """Return each page as the results want it."""
    written: dict[Path, str] = {}
    for page, name, table in TABLES:
        path = root / page
        text = written.get(path) or path.read_text()
        written[path] = between_marks(text, name, table())
    return written


def load() -> str:
    """Return what the service bears, and what it is held to."""
    run, mixed = _result("load"), _result("load_mixed")["parts"]["mixed"]
    minutes = mixed["searches, writes, uploads"]["minutes"]
    found = run["parts"]["search"]["service, JSON"]
    peaks = [found["peaks"][str(n)]["requests_per_s"] for n in run["scale"]["connections"]]
    connections = _list(run["scale"]["connections"])
    return _table(
        ("what", "seen", "held to"),
        (
            (f"searches per second, {connections} connections", _list(peaks), ""),
            *_bars("", run["parts"]["search"]),
            *_bars("four times the peak: ", run["parts"]["overload"]),
            *_bars(f"mixed for {minutes:g} minutes: ", mixed),
        ),
    )


def peers() -> str:
    """Return the service beside others, each at its best number of connections."""
    parts = _result("load")["parts"]
    alone = parts["beside"]["in process, one thread"]
    measured = {
        "the service": parts["search"]["service, JSON"],
        "the same index behind a bare route": parts["beside"]["bare route"],
        "a route that answers nothing": parts["beside"]["empty route"],
        **{n.replace("_", " "): p for n, p in parts["peers"].items() if "peaks" in p},
    }
    rows = [
        (
            name,
            f"{each['peak_per_s']:.0f}",
            f"{each['at_60_percent']['p50_ms']:.1f}",
            f"{each['recall_at_10']:g}" if "recall_at_10" in each else "",
        )
        for name, each in measured.items()
    ]
    in_process = (
        ("in process, one thread: ranked items", f"{alone['ranked_items_per_s']:.0f}"),
        ("in process, one thread: the index alone", f"{alone['index_per_s']:.0f}"),
    )
    return _table(
        ("what", "searches per second", "p50 at 60 % of them, ms", "recall@10"),
        (*rows, *((*row, "", "") for row in in_process)),
    )


def capacity() -> str:
    """Return what a collection takes, by its size."""
    found = _result("capacity")["results"]["capacity"]
    rows = []
    for size in dict.fromkeys(name.split("_")[0] for name in found):
        items, dim = size.split("x")
        rows.append(
            (
                f"{int(items):,}",
                dim,
                f"{found[f'{size}_disk_mib']:.0f}",
                f"{found[f'{size}_memory_mib']:.0f}",
                f"{found[f'{size}_cpu_ms_per_search']:.1f}",
                f"{found[f'{size}_ready_s']:.1f}",
            )
        )
    heads = ("items", "dimensions", "disk, MiB", "memory, MiB")
    times = ("processor time, ms per search", "start to ready, s")
    return _table((*heads, *times), rows)


def kinds() -> str:
    """Return what each kind of index finds in how much time, by the vectors."""
    found = _result("kinds")["results"]["kinds"]
    rows = []
    for name in dict.fromkeys(key.split("_flat_")[0] for key in found if "_flat_" in key):
        count, dim = name.removesuffix("_wide").split("x")
        row = [f"{int(count):,}", dim, "wide" if name.endswith("_wide") else "usual"]
        for kind in KINDS:
            if f"{name}_{kind}_recall" not in found:
                row.append("")
                continue
            recall = found[f"{name}_{kind}_recall"]
            made = found[f"{name}_{kind}_made_s"]
            rate = found[f"{name}_{kind}_searches_per_s"]
            row.append(f"{rate:,.0f}; {recall:.3f}; {made:.1f} s")
        rows.append(row)
    return _table(("vectors", "dimensions", "clusters", *KINDS.values()), rows)


TABLES: Sequence[tuple[Path, str, Callable[[], str]]] = (
    (GUIDE, "load", load),
    (GUIDE, "peers", peers),
    (GUIDE, "capacity", capacity),
    (DECISION, "kinds", kinds),
)


def _result(name: str) -> Result:
    value: Result = json.loads((RESULTS / f"{name}.json").read_text())
    return value


def _bars(prefix: str, part: Result) -> Iterator[Row]:
    for bar in part["bars"]:
        missed = "" if bar["kept"] else ": missed"
        yield f"{prefix}{bar['name']}", f"{bar['value']:g}", f"{bar['bound']}{missed}"


def _list(numbers: Iterable[float]) -> str:
    *first, last = (f"{number:.0f}" for number in numbers)
    return f"{', '.join(first)} and {last}"


def _table(head: Row, rows: Iterable[Row]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


if __name__ == "__main__":
    main()
