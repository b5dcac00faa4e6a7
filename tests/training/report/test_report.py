"""The whole page: what it holds, and that it needs nothing beside it."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from typer.testing import CliRunner

from training.__main__ import app
from training.compare.results import Results
from training.protocol.trials import Trial, Trials
from training.report.report import write_report
from training.report.sweeps import sweep


@pytest.fixture(scope="session")
def page(results: Results, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_report(results, path)
    return path.read_text()


def test_page_asks_for_nothing_from_anywhere(page: str) -> None:
    assert not re.findall(r"https?://|//cdn|@import|<link|<script|<iframe", page)
    for kind, target in re.findall(r'\b(src|href|action|data)="([^"]*)"', page):
        assert target.startswith(("#", "data:image/png;base64,")), (kind, target[:80])
    assert not re.findall(r"url\((?!#)", page)


class Ids(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids += [value for name, value in attrs if name == "id" and value]
        if tag not in {"meta"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids += [value for name, value in attrs if name == "id" and value]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_page_is_well_formed_and_every_place_in_it_has_one_name(page: str) -> None:
    parser = Ids()
    parser.feed(page)
    assert parser.open == []
    assert sorted(i for i in set(parser.ids) if parser.ids.count(i) > 1) == []
    for target in re.findall(r'<a href="#([^"]+)"', page):
        assert target in parser.ids


def test_every_part_the_papers_show_is_there(page: str) -> None:
    titles = re.findall(r"<h2>([^<]+)</h2>", page)
    assert titles == [
        "Results",
        "Claims",
        "Methods",
        "Precision and recall",
        "Precision and scope",
        "Classes",
        "Confusion",
        "First hits",
        "Maps",
        "Loss curves",
        "Parameter sweeps",
        "Ablations",
        "Time",
        "Command and environment",
    ]


def test_numbers_are_those_of_the_table(results: Results, page: str) -> None:
    for name in results.entries:
        row = results.row(name, "mean", "mean_average_precision")
        assert f"{row['mean']:.3f} ± {row['sd']:.3f}" in page
        assert f">{name}<" in page


def test_claims_stand_there_with_figure_and_verdict(results: Results, page: str) -> None:
    (claim,) = results.claims["claims"]
    (step,) = claim["steps"]
    section = page.split('<section id="claims">')[1].split("</section>")[0]
    assert "<td>c_cca &gt; cca</td>" in section
    assert f">{step['difference']:+.3f}</td>" in section
    assert section.count(f"<td>{claim['verdict']}</td>") == 2
    assert "<svg" in section
    assert "Not corrected for their number" in section


def test_page_says_what_it_was_made_with(results: Results, page: str) -> None:
    assert results.card["data"]["sha256"] in page
    for package, version in results.card["environment"]["packages"].items():
        assert f"<td>{package}</td><td" in page
        assert str(version) in page


def test_names_of_classes_are_text(page: str) -> None:
    assert "&lt;owl&gt;" in page
    assert "<owl>" not in page
    assert "cat &amp; dog" in page


def test_same_comparison_gives_the_same_page(
    results: Results, page: str, tmp_path: Path
) -> None:
    write_report(results, tmp_path / "again.html")
    assert (tmp_path / "again.html").read_text() == page


def test_report_command_reads_a_directory_and_adds_sweeps(
    results: Results, features_path: Path, tmp_path: Path
) -> None:
    arguments = ["--data", str(features_path), "--method", "cca", "--vary", "k=1,2,3"]
    swept = CliRunner().invoke(app, ["sweep", *arguments, "--out", str(tmp_path / "s")])
    assert swept.exit_code == 0, swept.output
    assert swept.stdout == f"{tmp_path / 's' / 'sweep.html'}\n"
    out = tmp_path / "r.html"
    made = CliRunner().invoke(
        app,
        [
            "report",
            str(results.directory),
            "--sweep",
            str(tmp_path / "s"),
            "--out",
            str(out),
        ],
    )
    assert made.exit_code == 0, made.output
    assert made.stdout == f"{out}\n"
    assert "cca: mAP on validation by setting" in out.read_text()


def test_entry_that_failed_is_named_with_its_reason(
    results: Results, tmp_path: Path
) -> None:
    """As a comparison writes it when every fit of an entry fails."""
    reason = "failed: training diverged"
    card = json.loads(json.dumps(results.card))
    entry = next(e for e in card["entries"] if e["name"] == "cca")
    entry["status"] = reason
    rows = [
        {**row, "mean": None, "sd": None, "values": None, "interval": None, "p_value": None,
         "status": reason}
        if row["method"] == "cca" and row["preset"] == "tuned"
        else row
        for row in results.rows
    ]  # fmt: skip
    left = [outcome for outcome in results.outcomes if outcome.entry != "cca"]
    broken = replace(results, card=card, rows=rows, outcomes=left)
    write_report(broken, tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text()
    assert "Without a full result, for the reasons given: cca." in page
    assert reason in page


def grid() -> Trials:
    trials = [
        Trial({"alpha": a, "beta": b}, 0.1 * a + 0.01 * b, {"x": 0.1 * a, "y": 0.01 * b})
        for a in (1, 2, 3)
        for b in (0.5, 1.0)
    ]
    return Trials("eics", "test", "mean_average_precision", tuple(trials))


def test_two_settings_over_a_full_grid_are_a_heat_map() -> None:
    html = "".join(sweep(grid(), "s"))
    assert "mAP on test by alpha and beta" in html
    assert ">.310<" in html  # 0.1 x 3 + 0.01 x 1
    assert "all 6 combinations tried" in html


def test_sparse_or_single_settings_are_lines_alone() -> None:
    full = grid()
    sparse = replace(full, trials=full.trials[::3])
    assert "by alpha and beta" not in "".join(sweep(sparse, "s"))
    single = replace(full, trials=full.trials[::2])
    html = "".join(sweep(single, "s"))
    assert "by setting; dotted: the best trial." in html
    assert "crosses" not in html


def test_settings_that_are_words_are_an_ablation_table() -> None:
    trials = Trials(
        "tnn",
        "validation",
        "mean_average_precision",
        tuple(
            Trial({"sampling": s}, v, {"x": v}) for s, v in (("hard", 0.2), ("all", 0.6))
        ),
    )
    html = "".join(sweep(trials, "s"))
    assert "mAP on validation by sampling" in html
    assert '<tr class="best"><td>all</td><td class="n">0.600</td>' in html
    assert '<td class="n">-0.400</td>' in html
