"""Pages of results from hand-made comparisons."""

import json
from pathlib import Path

import pytest

from benchmarks.pages import between_marks
from benchmarks.results import (
    Comparison,
    claims,
    leads,
    main,
    summary,
)

BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"

SCORES = {"random": (0.1, 0.12), "cca": (0.3, 0.2), "c_cca": (0.4, 0.1), "lstm_c_cca": None}


def comparison(folder: Path, name: str, place: int) -> Path:
    directory = folder / name
    directory.mkdir()
    rows = []
    for method, scores in SCORES.items():
        mean = None if scores is None else scores[place]
        row = {"method": method, "metric": "mean_average_precision", "sd": 0.01}
        row["p_value"] = 0.04
        rows.append(row | {"direction": "mean", "mean": mean})
        rows.append(row | {"direction": "audio2visual", "mean": 0.9})
    about = {
        "command": [
            "/x/__main__.py",
            "compare",
            "--data",
            f"/x/{name}.h5",
            "--out",
            "/y/z",
        ],
        "environment": {
            "processor": "P",
            "cores": 2,
            "python": "3",
            "commit": "abc",
            "packages": dict.fromkeys(("numpy", "scipy", "scikit-learn", "torch"), "1"),
        },
        "request": {"entries": list(SCORES)},
        "data": {"name": name, "split": "test", "splits": {"own": {"audio": {"items": 7}}}},
    }
    claim = {"key": "k", "statement": "So it is.", "source": "Them", "verdict": "holds"}
    for file, value in (
        ("table.json", rows),
        ("compare.json", about),
        ("claims.json", {"claims": [claim] if place == 0 else []}),
    ):
        (directory / file).write_text(json.dumps(value))
    (directory / "table.md").write_text(f"the table of {name}\n")
    (directory / "table.csv").write_text(f"csv of {name}\n")
    return directory


@pytest.fixture
def two(tmp_path: Path) -> list[Path]:
    return [comparison(tmp_path, name, place) for place, name in enumerate(("one", "two"))]


def test_summary_is_ordered_by_the_mean_and_marks_each_best(two: list[Path]) -> None:
    lines = summary([Comparison(directory) for directory in two]).splitlines()
    assert lines[0] == "| method | one | two |"
    assert lines[2] == "| `cca` | 0.300 ± 0.010 | **0.200 ± 0.010** |"
    assert lines[3] == "| `c_cca` | **0.400 ± 0.010** | 0.100 ± 0.010 |"
    assert lines[4].startswith("| `random` |")
    assert lines[5] == "| `lstm_c_cca` | not applicable | not applicable |"


def test_the_lead_is_before_the_second_best(two: list[Path]) -> None:
    lines = leads([Comparison(directory) for directory in two]).splitlines()
    assert lines[2] == "| one | `c_cca` | `cca` | 0.100 | 0.04 |"
    assert lines[3] == "| two | `cca` | `random` | 0.080 | 0.04 |"


def test_a_claim_not_judged_on_a_set_has_a_dash(two: list[Path]) -> None:
    lines = claims([Comparison(directory) for directory in two]).splitlines()
    assert lines[2] == "| So it is. | Them | holds | - |"


def test_pages_name_the_command_without_folders(two: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "results"
    out.mkdir()
    for page in (out / "README.md", tmp_path / "README.md"):
        page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    main([*map(str, two), "--out", str(out), "--readme", str(tmp_path / "README.md")])
    page = (out / "one.md").read_text()
    assert "python -m training compare --data one.h5 --out z" in page
    assert "the table of one" in page
    assert (out / "two.csv").read_text() == "csv of two\n"
    readme = (tmp_path / "README.md").read_text()
    assert readme.startswith(f"before\n{BEGIN}\n| method |")
    assert readme.endswith(f"{END}\nafter\n")
    assert "old" not in readme


def test_a_page_without_marks_is_left_alone() -> None:
    with pytest.raises(SystemExit, match="marks"):
        between_marks("no marks", "results", "text")
