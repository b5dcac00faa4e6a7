from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from crossmodal.errors import ConfigError, DataError
from crossmodal.modality import Modality
from training.batches.pair_batches import PairBatches
from training.batches.prepared import Prepared, prepare
from training.batches.sampling import Batch
from training.data import TrainingData
from training.losses.correlation import correlation_loss
from training.losses.label import label_loss
from training.losses.orthogonality import orthogonality
from training.methods.eics import SPACES, Eics, EicsSettings, Subspaces, losses
from training.methods.method import FitContext, Problem, Towers
from training.protocol.selection import fit_method
from training.protocol.validation import embed, score
from training.towers.correlated_tower import CorrelatedTower, outputs_of

A, T, V = Modality.AUDIO, Modality.TEXT, Modality.VISUAL

MakeData = Callable[..., TrainingData]
SMALL = {"left_hidden": "24", "right_hidden": "24", "epochs": "15", "score_every": "5"}


def ready(make_data: MakeData, settings: EicsSettings) -> tuple[Towers, Prepared, Batch]:
    data = make_data(0)
    torch.manual_seed(0)
    towers = Eics().build(settings, Problem.of(data))
    context = FitContext(seed=0, device=torch.device("cpu"))
    prepared = prepare(towers, data, context, divide=True)
    (batch,) = PairBatches(data, 48, np.random.default_rng(0), shuffle=False)
    return towers, prepared, batch


def networks_of(tower: torch.nn.Module) -> Subspaces:
    assert isinstance(tower, CorrelatedTower)
    assert isinstance(tower.network, Subspaces)
    return tower.network


@pytest.mark.parametrize("space", ["both", "ex_im_share"])
@pytest.mark.parametrize("preset", ["paper", "tuned"])
def test_every_parameter_receives_gradient(
    make_data: MakeData, space: str, preset: str
) -> None:
    settings = replace(Eics.presets[preset], space=space)
    towers, prepared, batch = ready(make_data, settings)
    torch.autograd.backward(losses(towers, prepared, batch, settings)["loss"])
    for tower in towers.values():
        for name, parameter in tower.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.abs().max() > 1e-9, name


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("cross", [False, True])
def test_loss_is_the_sum_as_written(make_data: MakeData, space: str, cross: bool) -> None:
    settings = EicsSettings(
        space=space, cross_implicit=cross, alpha=0.3, beta=0.7, dropout=0.0
    )
    towers, prepared, batch = ready(make_data, settings)
    found = losses(towers, prepared, batch, settings)
    ex, im = {}, {}
    for modality, tower in towers.items():
        networks = networks_of(tower).networks
        rows = tower.standardize(prepared.features[modality])
        both = ("shared", "shared") if space == "ex_im_share" else ("explicit", "implicit")
        ex[modality], im[modality] = (networks[role](rows) for role in both)
    labels = torch.from_numpy(prepared.data.labels[A])
    constraint = orthogonality(ex[A], im[A]) + orthogonality(ex[V], im[V])
    if cross:
        constraint = constraint + orthogonality(im[A], im[V])
    expected = 0.7 * constraint
    if space != "implicit":
        expected = expected + correlation_loss(ex[A], ex[V], ridge=settings.ridge)
    if space != "explicit":
        expected = expected + 0.3 * (label_loss(im[A], labels) + label_loss(im[V], labels))
    assert found["loss"].item() == pytest.approx(expected.item(), abs=1e-5)


@pytest.mark.parametrize(
    ("space", "networks", "outputs", "dim"),
    [
        ("both", 2, 8, 6),
        ("explicit", 2, 4, 4),
        ("implicit", 2, 4, 4),
        ("ex_im_share", 1, 4, 4),
    ],
)
def test_ablation_decides_what_is_trained_and_read(
    make_data: MakeData, space: str, networks: int, outputs: int, dim: int
) -> None:
    data = make_data(0)
    fitted = fit_method("eics", "tuned", SMALL | {"space": space, "k": "6"}, data, None)
    for modality, tower in fitted.towers.items():
        assert len(networks_of(tower).networks) == networks
        features = {modality: torch.from_numpy(data.features[modality])}
        found = outputs_of({modality: tower}, features)[modality]
        assert found.shape == (48, outputs)
        embedded = embed({modality: tower, **fitted.towers}, data)[modality]
        assert embedded.shape == (48, dim)
        if space == "implicit":
            unit = found / np.linalg.norm(found, axis=1, keepdims=True)
            np.testing.assert_allclose(embedded, unit, atol=1e-5)


def test_implicit_outputs_approach_the_labels(make_data: MakeData) -> None:
    data = make_data(0)
    longer = SMALL | {"space": "implicit", "epochs": "80", "rate": "0.01"}
    fitted = fit_method("eics", "tuned", longer, data, None)
    for modality, rows in embed(fitted.towers, data).items():
        assert (rows.argmax(axis=1) == data.labels[modality]).mean() > 0.95


def test_label_loss_counts_where_pairs_mean_nothing(make_data: MakeData) -> None:
    """Partners dealt at random over all classes leave only labels to learn from."""
    train, test = (make_data(seed, per_class=40) for seed in (0, 1))
    order = np.random.default_rng(0).permutation(160)
    train.features[V][:] = train.features[V][order]
    train.labels[V][:] = train.labels[V][order]
    longer = SMALL | {"epochs": "60", "rate": "0.005", "score_every": "60", "sigma": "1"}
    found = {
        space: score(
            fit_method("eics", "tuned", longer | {"space": space}, train, None).towers, test
        ).mean
        for space in ("implicit", "explicit")
    }
    assert found["implicit"] > 0.8
    assert found["explicit"] < 0.5  # chance is near 0.25


def test_terms_are_logged_by_name(make_data: MakeData) -> None:
    fitted = fit_method("eics", "tuned", SMALL, make_data(0), make_data(1))
    assert len(fitted.history) == 15 or "candidate" in fitted.history[-1]
    first = fitted.history[0]
    assert {"loss", "correlation", "label", "constraint"} <= first.keys()


def test_unknown_space_is_refused() -> None:
    with pytest.raises(ConfigError, match="space must be one of both, explicit"):
        EicsSettings(space="none")


def test_data_without_labels_is_refused(make_data: MakeData) -> None:
    with pytest.raises(DataError, match="label regression needs labeled items"):
        fit_method("eics", "tuned", SMALL, make_data(0, labeled=False), None)


def test_three_modalities_are_refused(make_data: MakeData) -> None:
    data = make_data(0, dims={A: 5, T: 6, V: 7})
    with pytest.raises(DataError, match="exactly two modalities"):
        fit_method("eics", "tuned", SMALL, data, None)
