"""The whole way from request to files, jobs run in this process."""

import csv
import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crossmodal.errors import ConfigError, DataError, DivergenceError
from crossmodal.modality import Modality, parse_direction
from training.compare.comparison import compare
from training.compare.pool import Task
from training.compare.request import CompareRequest, parse_entries
from training.compare.results import Results
from training.compare.rows import HEADLINE, METRICS
from training.fitting.best_epoch import BestEpoch

A, V = Modality.AUDIO, Modality.VISUAL
A2V, V2A = parse_direction("audio2visual"), parse_direction("visual2audio")
Execute = Callable[..., Iterator[Task]]
MakeFile = Callable[..., Path]
COLUMNS = [
    "method",
    "preset",
    "data",
    "direction",
    "metric",
    "mean",
    "sd",
    "seeds",
    "values",
    "interval",
    "p_value",
    "train_seconds",
    "parameters",
    "pairs",
    "status",
]


def request(path: Path, methods: str = "c_cca", **fields: Any) -> CompareRequest:
    preset = fields.get("preset", "tuned")
    fixed = {"c_cca": {"k": "2", "ridge": "0.1"}} if "c_cca" in methods else {}
    given = {"seeds": (0, 1), "overrides": fixed} | fields
    return CompareRequest(data=path, entries=parse_entries(methods, preset), **given)


def test_the_table_has_a_row_for_every_entry_direction_and_metric(
    make_file: MakeFile, execute: Execute, tmp_path: Path
) -> None:
    results = compare(request(make_file(), "c_cca,cca@paper"), tmp_path / "out", execute)
    assert results.entries == ("random", "c_cca", "cca@paper")
    assert [list(row) for row in results.rows] == [COLUMNS] * len(results.rows)
    assert {
        (row["method"], row["preset"], row["direction"], row["metric"])
        for row in results.rows
    } == {
        (method, preset, direction, metric)
        for method, preset in (("random", "tuned"), ("c_cca", "tuned"), ("cca", "paper"))
        for direction in ("audio2visual", "visual2audio", "mean")
        for metric in METRICS
    }
    written = json.loads((tmp_path / "out" / "table.json").read_text())
    assert written == list(results.rows)
    for row in results.rows:
        assert row["seeds"] == [0, 1]
        assert row["mean"] == pytest.approx(np.mean(row["values"]))
        assert row["sd"] == pytest.approx(np.std(row["values"], ddof=1))
        assert row["status"] == "ok"
    with (tmp_path / "out" / "table.csv").open() as file:
        assert len(list(csv.DictReader(file))) == len(results.rows)


def test_a_variant_is_an_entry_with_its_settings_in_every_name(
    make_file: MakeFile, execute: Execute, tmp_path: Path
) -> None:
    wanted = request(make_file(), "cca:k=1,cca:k=2", seeds=(0,))
    results = compare(wanted, tmp_path / "out", execute)
    assert results.entries == ("random", "cca:k=1", "cca:k=2")
    assert {row["method"] for row in results.rows} == set(results.entries)
    one, two = (
        results.row(n, "mean", "mean_average_precision") for n in results.entries[1:]
    )
    assert one["mean"] != two["mean"]
    assert [results.embeddings(n)[A].shape[1] for n in results.entries[1:]] == [1, 2]
    entry = results.entry("cca:k=2")
    assert (entry["method"], entry["settings"]) == ("cca", {"k": "2"})
    assert entry["trec"] == [f"cca+k=2.own.{d}.run.gz" for d in (A2V, V2A)]
    with gzip.open(tmp_path / "out" / "trec" / entry["trec"][0], "rt") as file:
        assert file.readline().split()[-1] == "cca:k=2"
    for name in ("table.md", "table.tex", "table.csv"):
        assert "cca:k=1" in (tmp_path / "out" / name).read_text().replace(r"\_", "_")


def test_claims_are_judged_where_their_entries_are_compared(
    make_file: MakeFile, execute: Execute, tmp_path: Path
) -> None:
    wanted = request(make_file(), "c_cca,cca:k=2,cca")
    results = compare(wanted, tmp_path / "out", execute)
    (claim,) = results.claims["claims"]
    (step,) = claim["steps"]
    assert claim["key"] == "labels_help_cca"
    assert (step["better"], step["worse"]) == ("c_cca", "cca")
    ours, theirs = (results.row(n, "mean", HEADLINE) for n in ("c_cca", "cca"))
    assert step["difference"] == pytest.approx(ours["mean"] - theirs["mean"], abs=1e-6)
    assert step["by_seed"] == pytest.approx(
        np.subtract(ours["values"], theirs["values"]), abs=1e-9
    )
    assert json.loads((tmp_path / "out" / "claims.json").read_text()) == results.claims
    text = (tmp_path / "out" / "table.md").read_text()
    assert "**Claims of the papers**" in text
    assert f"| c_cca | cca | {step['difference']:+.3f} |" in text
    assert f"{len(results.claims['left_out'])} more claims of the papers" in text
    (tmp_path / "out" / "claims.json").unlink()
    with pytest.raises(ConfigError, match=r"claims\.json is missing or cut off"):
        Results.open(tmp_path / "out")


def test_the_mean_of_the_directions_is_their_mean_and_methods_beat_chance(
    make_file: MakeFile, execute: Execute, tmp_path: Path
) -> None:
    results = compare(request(make_file()), tmp_path / "out", execute)

    def mean(name: str, direction: str, metric: str = "mean_average_precision") -> float:
        return float(results.row(name, direction, metric)["mean"])

    assert mean("c_cca", "mean") == pytest.approx(
        (mean("c_cca", "audio2visual") + mean("c_cca", "visual2audio")) / 2
    )
    assert mean("c_cca", "mean") > mean("random", "mean") + 0.2
    row = results.row("random", "mean", "mean_average_precision")
    assert row["p_value"] < 0.01
    assert results.row("c_cca", "mean", "mean_average_precision")["p_value"] is None
    low, high = row["interval"]
    assert low < row["mean"] < high


def test_figures_are_those_of_the_values_per_query(
    make_file: MakeFile, execute: Execute, tmp_path: Path
) -> None:
    results = compare(request(make_file()), tmp_path / "out", execute)
    for direction in results.directions:
        for metric in ("mean_average_precision", "recall_at_5", "mean_rank"):
            found = results.per_query("random", direction, metric)
            assert found.shape == (18,)
            row = results.row("random", str(direction), metric)
            assert found.mean() == pytest.approx(row["mean"], rel=1e-6)


def test_class_paired_data_says_that_pairs_were_drawn(
    make_file: MakeFile, execute: Execute, tmp_path: Path
) -> None:
    path = make_file(paired=False)
    results = compare(request(path, "cca,c_cca"), tmp_path / "out", execute)
    assert results.row("cca", "mean", "mean_average_precision")["pairs"] == "drawn"
    assert results.row("c_cca", "mean", "mean_average_precision")["pairs"] == "unused"
    ranks = results.row("cca", "mean", "median_rank")
    assert (ranks["mean"], ranks["values"], ranks["interval"]) == (None, [], None)


def test_finished_jobs_are_reused_and_new_seeds_added(
    make_file: MakeFile, execute: Execute, tmp_path: Path
) -> None:
    path, ran = make_file(), []

    def counting(tasks: list[Task], *places: Any) -> Iterator[Task]:
        ran.extend(job.title for job, _ in tasks)
        yield from execute(tasks, *places)

    first = compare(request(path, seeds=(0,)), tmp_path / "out", counting)
    assert ran == ["random, seed 0", "c_cca, seed 0"]
    again = compare(request(path, seeds=(0,)), tmp_path / "out", counting)
    assert len(ran) == 2
    assert again.rows == first.rows
    compare(request(path), tmp_path / "out", counting)
    assert ran[2:] == ["random, seed 1", "c_cca, seed 1"]
    compare(
        request(path, overrides={"c_cca": {"k": "2", "ridge": "0.5"}}),
        tmp_path / "out",
        counting,
    )
    assert ran[4:] == ["c_cca, seed 0", "c_cca, seed 1"]


def test_other_data_is_another_job(
    make_file: MakeFile, execute: Execute, tmp_path: Path
) -> None:
    one, other = make_file("one.h5"), make_file("other.h5", seed=5)
    first = compare(request(one), tmp_path / "out", execute)
    second = compare(request(other), tmp_path / "out", execute)
    assert set(first.card["jobs"]).isdisjoint(second.card["jobs"])


def test_a_failing_method_is_a_row_with_the_reason(
    make_file: MakeFile, execute: Execute, tmp_path: Path
) -> None:
    overrides = {"supcon": {"epochs": "2", "hidden": "8"}}
    wanted = request(make_file(), "supcon,c_cca", overrides=overrides, seeds=(0,))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.methods.supcon.Supcon.fit", _diverge)
        results = compare(wanted, tmp_path / "out", execute)
    row = results.row("supcon", "mean", "mean_average_precision")
    assert row["status"] == "failed: training diverged in epoch 3"
    assert (row["mean"], row["values"], row["p_value"]) == (None, [], None)
    assert results.row("c_cca", "mean", "mean_average_precision")["status"] == "ok"
    assert results.scored == ("random", "c_cca")
    assert "supcon: failed: training diverged" in (tmp_path / "out/table.md").read_text()
    compare(wanted, tmp_path / "out", execute)  # what failed is tried again
    row = Results.open(tmp_path / "out").row("supcon", "mean", "mean_average_precision")
    assert row["status"] == "ok"


def _diverge(*given: object) -> None:
    raise DivergenceError("training diverged in epoch 3")


def test_a_method_without_the_preset_or_the_data_is_not_applicable(
    make_file: MakeFile, execute: Execute, tmp_path: Path
) -> None:
    wanted = request(make_file(), "c_cca@as_coded,cca,lstm_c_cca", seeds=(0,))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.methods.cca.Cca.fit", _lack)
        results = compare(wanted, tmp_path / "out", execute)
    statuses = {row["method"]: row["status"] for row in results.rows}
    assert statuses == {
        "random": "ok",
        "c_cca": "not applicable: has no preset as_coded",
        "cca": "not applicable: lacks what it takes",
        "lstm_c_cca": "not applicable: field audio/features (audio_train): has one row "
        "per item; the method takes sequences, (items, time, dim)",
    }


def _lack(*given: object) -> None:
    raise DataError("lacks what it takes")


def test_methods_of_sequences_and_of_pooled_rows_stand_in_one_table(
    make_file: MakeFile, execute: Execute, tmp_path: Path
) -> None:
    small = {"epochs": "20", "left_layers": "16-8-6", "right_layers": "16-8-6", "k": "3"}
    wanted = request(
        make_file(steps=4),
        "cca,lstm_c_cca",
        seeds=(0,),
        overrides={"cca": {"k": "3", "ridge": "0.1"}, "lstm_c_cca": small},
    )
    results = compare(wanted, tmp_path / "out", execute)
    for method in ("cca", "lstm_c_cca"):
        row = results.row(method, "mean", "mean_average_precision")
        assert row["status"] == "ok"
        assert row["mean"] > 0.5  # chance is near 0.36


def test_trec_files_give_the_same_figure(
    make_file: MakeFile, execute: Execute, tmp_path: Path
) -> None:
    results = compare(request(make_file(), seeds=(0,)), tmp_path / "out", execute)
    trec = tmp_path / "out" / "trec"
    assert results.entry("c_cca")["trec"] == [
        "c_cca.own.audio2visual.run.gz",
        "c_cca.own.visual2audio.run.gz",
    ]
    relevant: dict[str, set[str]] = {}
    with gzip.open(trec / "own.audio2visual.class.qrels.gz", "rt") as file:
        for line in file:
            query, _, item, _ = line.split()
            relevant.setdefault(query, set()).add(item)
    ranked: dict[str, list[str]] = {}
    with gzip.open(trec / "c_cca.own.audio2visual.run.gz", "rt") as file:
        for line in file:
            query, _, item, *_ = line.split()
            ranked.setdefault(query, []).append(item)
    found = []
    for query, items in ranked.items():
        hits = [n for n, item in enumerate(items, start=1) if item in relevant[query]]
        found.append(np.mean([n / rank for n, rank in enumerate(hits, start=1)]))
    row = results.row("c_cca", "audio2visual", "mean_average_precision")
    assert np.mean(found) == pytest.approx(row["mean"], abs=1e-6)


def test_what_a_report_draws_from_is_there(
    make_file: MakeFile, execute: Execute, tmp_path: Path
) -> None:
    overrides = {"supcon": {"epochs": "3", "hidden": "8"}}
    wanted = request(make_file(), "c_cca,supcon", overrides=overrides)
    results = compare(wanted, tmp_path / "out", execute)
    assert results.items()[A].id[:1] == ("audio14",)
    assert results.features()[V].shape == (18, 8)
    embedded = results.embeddings("c_cca")
    assert embedded[A].shape == embedded[V].shape == (18, 2)
    curves = results.curves("random", A2V)
    assert len(curves["precision_recall_11_point"]) == 11
    by_job = [o.values["curves"]["audio2visual"]["lift"] for o in results.of("random")]
    assert curves["lift"] == pytest.approx(np.mean(by_job))
    assert set(curves["average_precision_by_class"]) == {"class0", "class1", "class2"}
    (outcome, records), _ = results.history("supcon")
    assert [record["epoch"] for record in records] == [1, 2, 3]
    assert outcome.values["best_epoch"] in (1, 2, 3)
    assert set(results.entry("supcon")["last_epoch"]) == {"audio2visual", "visual2audio"}
    assert len(results.candidates("c_cca")[0][1]) == results.entry("c_cca")["candidates"]
    assert results.candidates("supcon")[0][1][0]["score"] > 0.3
    assert results.card["data"]["splits"]["own"]["audio"] == {
        "items": 18,
        "classes": {"class0": 6, "class1": 6, "class2": 6},
    }


def test_folds_test_every_row_once_and_are_published(
    make_file: MakeFile, execute: Execute, tmp_path: Path
) -> None:
    results = compare(request(make_file(), folds=4), tmp_path / "out", execute)
    published = json.loads((tmp_path / "out" / "folds.json").read_text())
    assert list(published) == list(results.splits) == ["fold1", "fold2", "fold3", "fold4"]
    for modality in (A, V):
        ids = [item for fold in published.values() for item in fold[modality]]
        assert sorted(ids) == sorted(f"{modality}{n}" for n in range(60))
        assert list(results.items("fold2")[modality].id) == published["fold2"][modality]
    row = results.row("c_cca", "mean", "mean_average_precision")
    assert row["seeds"] == [0] * 4 + [1] * 4
    assert len(results.per_query("c_cca", V2A)) == 60


def test_a_search_tries_as_many_candidates_as_it_says(
    make_file: MakeFile, execute: Execute, tmp_path: Path
) -> None:
    overrides = {"posterior_product": {"epochs": "2", "hidden": "4"}}
    wanted = request(
        make_file(), "c_cca,posterior_product", tune=3, seeds=(0,), overrides=overrides
    )
    results = compare(wanted, tmp_path / "out", execute)
    for name in ("c_cca", "posterior_product"):
        assert results.entry(name)["candidates"] == 3
        (_, tried), *_ = results.candidates(name)
        assert len({json.dumps(c["settings"], sort_keys=True) for c in tried}) == 3


def test_a_folder_of_something_else_is_left_alone(
    make_file: MakeFile, execute: Execute, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("years of work")
    with pytest.raises(ConfigError, match="not empty and no comparison"):
        compare(request(make_file()), tmp_path / "out", execute)
    with pytest.raises(ConfigError, match="holds no finished comparison"):
        Results.open(tmp_path / "out")


@pytest.mark.parametrize("content", ['{"format": 1}', '{"format": 99}', "[]"])
def test_a_comparison_of_another_format_is_refused_and_kept(
    make_file: MakeFile, execute: Execute, tmp_path: Path, content: str
) -> None:
    out, wanted = tmp_path / "out", request(make_file(), seeds=(0,))
    compare(wanted, out, execute)
    (out / "compare.json").write_text(content)
    with pytest.raises(ConfigError, match="this version reads and writes 2; compare anew"):
        Results.open(out)
    with pytest.raises(ConfigError, match="this version reads and writes 2; compare anew"):
        compare(wanted, out, execute)
    assert (out / "compare.json").read_text() == content
    (out / "compare.json").write_text('{"format": ')  # written by nobody: gone over
    assert compare(wanted, out, execute).entries == ("random", "c_cca")


@pytest.mark.parametrize("folds", [None, 25])
def test_a_refused_request_leaves_an_earlier_comparison_whole(
    make_file: MakeFile, execute: Execute, tmp_path: Path, folds: int | None
) -> None:
    path, out = make_file(), tmp_path / "out"
    compare(request(path, seeds=(0,)), out, execute)
    before = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
    wrong = request(path, overrides={"c_cca": {"nosuch": "1"}}, folds=folds)
    with pytest.raises((ConfigError, DataError)):
        compare(wrong, out, execute)
    assert {p: p.read_bytes() for p in out.rglob("*") if p.is_file()} == before
    with pytest.raises(ConfigError):
        compare(replace(wrong, folds=None), tmp_path / "new", execute)
    assert not (tmp_path / "new").exists()


def test_an_interrupted_comparison_goes_on_at_the_next_epoch(
    make_file: MakeFile,
    execute: Execute,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    overrides = {"supcon": {"epochs": "5", "hidden": "8"}}
    wanted = request(make_file(), "supcon", overrides=overrides, seeds=(0,))
    whole = compare(wanted, tmp_path / "whole", execute)
    monkeypatch.setattr("training.fitting.checkpoints.INTERVAL_S", 0.0)
    epochs: list[int] = []
    see = BestEpoch.see

    def interrupting(keeper: BestEpoch, epoch: int, terms: dict[str, float]) -> None:
        epochs.append(epoch)
        if len(epochs) == 3:
            raise KeyboardInterrupt
        see(keeper, epoch, terms)

    monkeypatch.setattr(BestEpoch, "see", interrupting)
    with pytest.raises(KeyboardInterrupt):
        compare(wanted, tmp_path / "out", execute)
    assert not (tmp_path / "out" / "compare.json").exists()
    resumed = compare(wanted, tmp_path / "out", execute)
    assert epochs == [1, 2, 3, 3, 4, 5]
    assert not list((tmp_path / "out" / "jobs").glob("*.partial"))
    (before,), (after,) = whole.of("supcon"), resumed.of("supcon")
    for field in ("history", "selection", "best_epoch", "directions", "last_epoch"):
        assert before.values[field] == after.values[field]
    for modality in (A, V):
        np.testing.assert_array_equal(
            whole.embeddings("supcon")[modality], resumed.embeddings("supcon")[modality]
        )
