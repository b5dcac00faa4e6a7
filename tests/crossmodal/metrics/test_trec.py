from __future__ import annotations

import gzip
from pathlib import Path

import ir_measures
import numpy as np
import pytest
from ir_measures import AP, RR, R

from crossmodal.embeddings import normalize
from crossmodal.errors import DataError
from crossmodal.metrics.card import evaluate_direction
from crossmodal.metrics.judged import Judged
from crossmodal.metrics.trec import write_qrels, write_run
from crossmodal.modality import Direction, Modality
from crossmodal.relevance import Relevance

A2V = Direction(Modality.AUDIO, Modality.VISUAL)
A2A = Direction(Modality.AUDIO, Modality.AUDIO)


def judged(seed: int, rows: int = 120, spread: float = 1.0) -> Judged:
    rng = np.random.default_rng(seed)
    rows_of = rng.standard_normal((rows, 8)) * spread + np.eye(1, 8)
    return Judged(
        [f"item{n}" for n in range(rows)],
        normalize(rows_of.astype(np.float32)),
        [None if n % 25 == 0 else f"c{n % 7}" for n in range(rows)],
        [f"clip{n % 115}" for n in range(rows)],
    )


def read(run: Path, qrels: Path, measures: list) -> dict:
    return ir_measures.calc_aggregate(
        measures,
        list(ir_measures.read_trec_qrels(str(qrels))),
        list(ir_measures.read_trec_run(str(run))),
    )


# Spread 0.02 packs the scores so densely that some would tie in float32.
@pytest.mark.parametrize("spread", [1.0, 0.02])
@pytest.mark.parametrize("direction", [A2V, A2A])
def test_ir_measures_reproduces_our_figures_from_the_files(
    tmp_path: Path, direction: Direction, spread: float
) -> None:
    query = judged(0, spread=spread)
    gallery = query if direction.within else judged(1, spread=spread)
    mask = (7,)
    run, by_class, by_pair = tmp_path / "run", tmp_path / "class", tmp_path / "pair"
    write_run(run, direction, query, gallery, same_modality_mask=mask)
    write_qrels(by_class, direction, query, gallery, Relevance.CLASS)
    write_qrels(by_pair, direction, query, gallery, Relevance.INSTANCE)
    ours = evaluate_direction(direction, query, gallery, same_modality_mask=mask).summary()
    theirs = read(run, by_class, [AP])
    assert theirs[AP] == pytest.approx(ours["mean_average_precision"], abs=1e-6)
    theirs = read(run, by_pair, [RR, R @ 1, R @ 10])
    assert theirs[RR] == pytest.approx(ours["mean_reciprocal_rank"], abs=1e-6)
    assert theirs[R @ 1] == pytest.approx(ours["recall_at_1"], abs=1e-6)
    assert theirs[R @ 10] == pytest.approx(ours["recall_at_10"], abs=1e-6)


def lines(path: Path) -> list[list[str]]:
    return [line.split() for line in path.read_text().splitlines()]


def test_tied_items_are_written_by_id_with_scores_that_fall_even_in_float32(
    tmp_path: Path,
) -> None:
    query = Judged(["q"], np.float32([[1, 0]]))
    gallery = Judged(["b", "c", "a"], np.tile(np.float32([0.6, 0.8]), (3, 1)))
    write_run(tmp_path / "run", A2V, query, gallery, tag="mine")
    written = lines(tmp_path / "run")
    assert [line[:4] for line in written] == [
        ["q", "Q0", "a", "1"], ["q", "Q0", "b", "2"], ["q", "Q0", "c", "3"]
    ]  # fmt: skip
    scores = np.array([line[4] for line in written], dtype=np.float32)
    assert (np.diff(scores) < 0).all()
    assert scores == pytest.approx([0.6] * 3, abs=1e-6)
    assert {line[5] for line in written} == {"mine"}


def test_depth_cuts_each_ranking_and_gz_compresses(tmp_path: Path) -> None:
    query, gallery = judged(0, 20), judged(1, 30)
    write_run(tmp_path / "run", A2V, query, gallery)
    write_run(tmp_path / "run.gz", A2V, query, gallery, depth=5)
    whole = lines(tmp_path / "run")
    assert len(whole) == 20 * 30
    cut = gzip.decompress((tmp_path / "run.gz").read_bytes()).decode().splitlines()
    assert [line.split() for line in cut] == [line for line in whole if int(line[3]) <= 5]


def test_inside_a_modality_the_query_is_neither_ranked_nor_judged(tmp_path: Path) -> None:
    query = judged(0, 20)
    write_run(tmp_path / "run", A2A, query, query)
    write_qrels(tmp_path / "qrels", A2A, query, query, Relevance.CLASS)
    assert len(lines(tmp_path / "run")) == 20 * 19
    assert all(line[0] != line[2] for line in lines(tmp_path / "run"))
    assert all(line[0] != line[2] for line in lines(tmp_path / "qrels"))


@pytest.mark.parametrize("bad", ["two words", "", " x"])
def test_an_id_with_white_space_raises(tmp_path: Path, bad: str) -> None:
    query = Judged([bad], np.float32([[1, 0]]))
    with pytest.raises(DataError, match="ids without white space"):
        write_run(tmp_path / "run", A2V, query, query)
    with pytest.raises(DataError, match="ids without white space"):
        write_qrels(tmp_path / "qrels", A2V, query, query, Relevance.CLASS)
