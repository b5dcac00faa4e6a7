from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from crossmodal.errors import DataError, ShapeError
from crossmodal.metrics.card import evaluate
from crossmodal.modality import Modality, parse_direction
from training.data import TrainingData
from training.methods.cca import Cca, CcaSettings
from training.methods.method import FitContext, Problem, Towers
from training.protocol.validation import embed, score

A, V = Modality.AUDIO, Modality.VISUAL
MakeData = Callable[..., TrainingData]


def fitted(data: TrainingData) -> Towers:
    method, settings = Cca(), CcaSettings(k=4)
    towers = method.build(settings, Problem.of(data))
    method.fit(towers, data, None, settings, FitContext(seed=0, device=torch.device("cpu")))
    return towers


def test_the_score_is_the_cards_map_mean_over_directions(make_data: MakeData) -> None:
    data = make_data(3, noise=2.0)
    towers = fitted(make_data(0))
    found = score(towers, data)
    card = {
        str(direction): report.mean_average_precision
        for direction, report in evaluate(data.judged(embed(towers, data))).items()
    }
    assert found.metric == "mean_average_precision"
    assert found.directions == card
    assert found.mean == np.mean(list(card.values()))


def test_rows_without_a_label_answer_nothing(make_data: MakeData) -> None:
    data = make_data(3, noise=2.0)
    labels = {m: np.where(np.arange(len(x)) % 4, x, -1) for m, x in data.labels.items()}
    data, towers = replace(data, labels=labels), fitted(make_data(0))
    card = evaluate(data.judged(embed(towers, data)))
    found = score(towers, data)
    assert found.directions == {
        str(direction): report.mean_average_precision for direction, report in card.items()
    }


def test_embeddings_of_another_norm_are_refused(make_data: MakeData) -> None:
    towers = {m: torch.nn.Identity() for m in (A, V)}
    with pytest.raises(ShapeError, match="norm"):
        score(towers, make_data(0))


def test_without_labels_the_score_is_the_cards_reciprocal_rank(
    make_data: MakeData,
) -> None:
    data = make_data(3, noise=2.0, labeled=False)
    towers = fitted(make_data(0))
    found = score(towers, data)
    report = evaluate(data.judged(embed(towers, data)))[parse_direction("audio2visual")]
    assert found.metric == "mean_reciprocal_rank"
    assert found.directions["audio2visual"] == report.summary()["mean_reciprocal_rank"]


def test_data_in_which_nothing_is_relevant_is_refused(make_data: MakeData) -> None:
    data = make_data(3)
    towers = fitted(data)
    disjoint = {A: np.zeros_like(data.labels[A]), V: np.ones_like(data.labels[V])}
    with pytest.raises(DataError, match="no audio2visual query has a relevant item"):
        score(towers, replace(data, labels=disjoint))
    nothing = {m: np.full_like(labels, -1) for m, labels in data.labels.items()}
    with pytest.raises(DataError, match="neither labels nor pairs"):
        score(towers, replace(data, labels=nothing, pairs=None))
