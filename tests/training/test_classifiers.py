import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from training.classification.classifiers import (
    ABSENT,
    EnsembleClassifier,
    LinearClassifier,
    fit_ensemble,
    fit_logistic,
)
from training.fitting.optimization import Optimization


def silent(text: str) -> None:
    raise AssertionError(text)


def blobs(labels: np.ndarray, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).standard_normal((10, 5)) * 2
    return centres[labels] + rng.standard_normal((len(labels), 5))


@pytest.mark.parametrize("present", [[0, 1, 2, 3], [1, 3], [0, 3, 2]])
def test_logistic_posteriors_are_those_of_scikit_learn(present: list[int]) -> None:
    labels = np.repeat(present, 15)
    rows = blobs(labels)
    classifier = LinearClassifier(5, 4)
    fit_logistic(classifier, rows, labels, c=0.1, note=silent)
    logits = classifier(torch.from_numpy(rows).float())
    found = torch.softmax(logits, dim=2)[0].detach().numpy()
    expected = LogisticRegression(C=0.1).fit(rows, labels).predict_proba(rows)
    np.testing.assert_allclose(found[:, sorted(present)], expected, atol=1e-5)
    absent = [number for number in range(4) if number not in present]
    assert (found[:, absent] == 0).all()
    assert (classifier.layer.bias[0, 0, absent] == ABSENT).all()


def test_steps_that_do_not_suffice_are_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.classification.classifiers.LOGISTIC_STEPS", 1)
    labels, notes = np.repeat([0, 1, 2], 20), []
    fit_logistic(LinearClassifier(5, 3), blobs(labels), labels, c=10.0, note=notes.append)
    assert notes == ["logistic regression with c=10 stopped after 1 steps"]


def test_ensemble_learns_and_its_members_differ() -> None:
    labels = np.repeat([0, 1, 2], 30)
    torch.manual_seed(0)
    classifier = EnsembleClassifier(5, 3, members=3, hidden=16, dropout=0.2)
    fit_ensemble(
        classifier,
        blobs(labels),
        labels,
        training=Optimization(epochs=30, rate=1e-2, weight_decay=0.0),
        batch=16,
        device=torch.device("cpu"),
        rng=np.random.default_rng(0),
    )
    logits = classifier(torch.from_numpy(blobs(labels, seed=1)).float())
    assert not classifier.training
    for member in logits:
        accuracy = (member.argmax(dim=1).numpy() == labels).mean()
        assert accuracy > 0.85
    assert not torch.allclose(logits[0], logits[1], atol=1e-2)


def test_members_of_a_stack_are_what_single_layers_would_be() -> None:
    torch.manual_seed(0)
    classifier = EnsembleClassifier(4, 3, members=2, hidden=6, dropout=0.0)
    rows = torch.randn(5, 4)
    for member in range(2):
        hidden = rows @ classifier.first.weight[member] + classifier.first.bias[member]
        last = hidden.relu() @ classifier.last.weight[member] + classifier.last.bias[member]
        torch.testing.assert_close(classifier(rows)[member], last)


def test_every_parameter_of_an_ensemble_receives_gradient() -> None:
    torch.manual_seed(0)
    classifier = EnsembleClassifier(4, 3, members=2, hidden=6, dropout=0.0)
    (classifier(torch.randn(8, 4)) * torch.randn(2, 8, 3)).sum().backward()
    for name, parameter in classifier.named_parameters():
        assert parameter.grad is not None, name
        assert (parameter.grad.flatten(1).abs().sum(dim=1) > 0).all(), name
