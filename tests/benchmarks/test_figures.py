"""The tables of the guides are those that the kept results give."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import figures
from benchmarks.figures import ROOT, pages


def test_no_figure_of_a_guide_is_typed_in() -> None:
    for path, text in pages(ROOT).items():
        assert path.read_text() == text, f"{path}: run `python -m benchmarks figures`"


def test_a_table_says_what_was_measured_and_what_was_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bars(name: str, value: float, *, kept: bool) -> dict[str, object]:
        bar = {"name": name, "value": value, "bound": "<= 2 ms", "kept": kept}
        return {"bars": [bar]}

    def served(best: float, p50: float) -> dict[str, object]:
        return {
            "recall_at_10": 0.9995,
            "peaks": {"1": {"requests_per_s": 10.4}, "8": {"requests_per_s": best}},
            "peak_per_s": best,
            "at_60_percent": {"p50_ms": p50},
        }

    parts = {
        "search": {"service, JSON": served(20.6, 1.26), **bars("p50", 1.26, kept=True)},
        "beside": {
            "in process, one thread": {"ranked_items_per_s": 30.2, "index_per_s": 40.4},
            "bare route": served(12, 2),
            "empty route": served(50, 1),
        },
        "overload": bars("resets", 3, kept=False),
        "peers": {"some_engine": served(7, 9), "took": {"seconds": 3}},
        "mixed": {
            "searches, writes, uploads": {"minutes": 22.0},
            **bars("growth", 5.5, kept=True),
        },
    }
    result = {"scale": {"connections": [1, 8]}, "parts": parts}
    for name in ("load", "load_mixed"):
        (tmp_path / f"{name}.json").write_text(json.dumps(result))
    monkeypatch.setattr(figures, "RESULTS", tmp_path)
    assert figures.load().splitlines() == [
        "| what | seen | held to |",
        "| --- | --- | --- |",
        "| searches per second, 1 and 8 connections | 10 and 21 |  |",
        "| p50 | 1.26 | <= 2 ms |",
        "| four times the peak: resets | 3 | <= 2 ms: missed |",
        "| mixed for 22 minutes: growth | 5.5 | <= 2 ms |",
    ]
    assert figures.peers().splitlines()[2:] == [
        "| the service | 21 | 1.3 | 0.9995 |",
        "| the same index behind a bare route | 12 | 2.0 | 0.9995 |",
        "| a route that answers nothing | 50 | 1.0 | 0.9995 |",
        "| some engine | 7 | 9.0 | 0.9995 |",
        "| in process, one thread: ranked items | 30 |  |  |",
        "| in process, one thread: the index alone | 40 |  |  |",
    ]
    found = {
        "1000x8_disk_mib": 2.5,
        "1000x8_memory_mib": 99.6,
        "1000x8_cpu_ms_per_search": 0.74,
        "1000x8_ready_s": 1.25,
    }
    taken = {"results": {"capacity": found}}
    (tmp_path / "capacity.json").write_text(json.dumps(taken))
    assert figures.capacity().splitlines()[2:] == ["| 1,000 | 8 | 2 | 100 | 0.7 | 1.2 |"]
    found = {
        "1000x8_wide_flat_recall": 1,
        "1000x8_wide_flat_made_s": 0.04,
        "1000x8_wide_flat_searches_per_s": 1234.5,
    }
    (tmp_path / "kinds.json").write_text(json.dumps({"results": {"kinds": found}}))
    assert figures.kinds().splitlines()[2:] == [
        "| 1,000 | 8 | wide | 1,234; 1.000; 0.0 s |  |  |"
    ]
