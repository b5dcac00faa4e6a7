from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from crossmodal.errors import DataError
from crossmodal.modality import Modality
from training.batches.pair_batches import PairBatches
from training.batches.sampling import Batch
from training.correlation.linear_cca import solve
from training.correlation.pair_sets import PairSet, moments_of
from training.data import TrainingData
from training.fitting.class_centers import ClassCenters
from training.fitting.variational import VariationalModel, VariationalSettings
from training.losses.label import pair_likelihood
from training.methods.method import Method, Problem
from training.methods.vae_cca import VaeCca, canonical_loss
from training.methods.vae_cca_as_coded import VaeCcaAsCoded
from training.protocol.selection import fit_method
from training.protocol.validation import embed, score
from training.towers.correlated_tower import outputs_of

A, T, V = Modality.AUDIO, Modality.TEXT, Modality.VISUAL

MakeData = Callable[..., TrainingData]
SMALL = {
    "epochs": "16",
    "least_steps": "0",
    "rate": "0.01",
    "hidden": "32",
    "shared": "16",
    "latent": "16",
    "batch": "24",
}
METHODS = {"vae_cca": VaeCca(), "vae_cca_as_coded": VaeCcaAsCoded()}


def model_on(
    data: TrainingData, method: Method, settings: VariationalSettings
) -> tuple[VariationalModel, dict[Modality, torch.Tensor], Batch, ClassCenters]:
    torch.manual_seed(0)
    problem = Problem.of(data)
    model = VariationalModel(method.build(settings, problem), problem, settings)
    features = {m: torch.from_numpy(rows) for m, rows in data.features.items()}
    batch = next(iter(PairBatches(data, 48, np.random.default_rng(0), shuffle=False)))
    centers = ClassCenters(4, settings.latent, learned=True, device=torch.device("cpu"))
    return model, features, batch, centers


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("preset", ["paper", "tuned"])
def test_every_parameter_receives_gradient(
    make_data: MakeData, name: str, preset: str
) -> None:
    settings = replace(METHODS[name].presets[preset], dropout=0.0)
    model, features, batch, centers = model_on(make_data(0), METHODS[name], settings)
    model.total(model.terms(model.latents(features), batch, centers)).backward()
    for parameter_name, parameter in model.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.abs().sum() > 0, parameter_name


def test_layers_behind_the_first_are_shared(make_data: MakeData) -> None:
    data = make_data(0)
    fitted = fit_method("vae_cca", "tuned", SMALL, data, None)
    states = [fitted.towers[m].state_dict() for m in (A, V)]
    ours, theirs = ({k: v for k, v in s.items() if "network" in k} for s in states)
    alike = [
        key
        for key, tensor in ours.items()
        if tensor.shape == theirs[key].shape and torch.equal(tensor, theirs[key])
    ]
    assert len(alike) == 4  # weight and bias of the shared layer and of the means


def test_projection_is_the_cca_of_latent_means_over_the_blend(make_data: MakeData) -> None:
    data = make_data(0)
    fitted = fit_method("vae_cca", "tuned", {**SMALL, "k": "3"}, data, None)
    features = {m: torch.from_numpy(rows) for m, rows in data.features.items()}
    outputs = outputs_of(fitted.towers, features)
    moments = moments_of(outputs, data, PairSet(sigma=0.2))
    solution = solve(moments, 1e-3)
    sides = {A: (moments.left_mean, solution.left), V: (moments.right_mean, solution.right)}
    for modality, (mean, directions) in sides.items():
        rows = (outputs[modality] - mean) @ directions[:, :3]
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        found = embed(fitted.towers, data)[modality]
        np.testing.assert_allclose(found, rows, atol=2e-3)


def test_total_is_the_weighted_sum_of_its_terms(make_data: MakeData) -> None:
    settings = VaeCca.presets["paper"]
    model, features, batch, centers = model_on(make_data(0), METHODS["vae_cca"], settings)
    found = model.terms(model.latents(features), batch, centers)
    terms = {name: value.item() for name, value in found.items()}
    expected = (
        terms["label"]
        + 1e-4 * terms["variational"]
        + 1e-3 * terms["likelihood"]
        + 0.1 * terms["distance"]
        + 0.01 * terms["center"]
    )
    tensors = {k: torch.tensor(v) for k, v in terms.items()}
    assert model.total(tensors).item() == pytest.approx(expected, rel=1e-5)


def test_canonical_loss_rewards_correlated_means(make_data: MakeData) -> None:
    data, settings = make_data(0), VaeCca.presets["tuned"]
    batch = next(iter(PairBatches(data, 48, np.random.default_rng(0), shuffle=False)))
    torch.manual_seed(0)
    one, other = torch.randn(48, 6), torch.randn(48, 6)
    alike = canonical_loss([one, one], batch, settings).item()
    apart = canonical_loss([one, other], batch, settings).item()
    assert -1 <= alike < apart < 0


def test_code_compares_latents_by_pearson_and_sums_the_divergence(
    make_data: MakeData,
) -> None:
    coded = VaeCcaAsCoded.presets["as_coded"]
    assert (coded.centers, coded.likeness, coded.literal_sums) == (
        "random",
        "pearson",
        True,
    )
    model, features, batch, centers = model_on(
        make_data(0), METHODS["vae_cca_as_coded"], replace(coded, sampled=False)
    )
    latents = model.latents(features)
    terms = model.terms(latents, batch, centers)
    rows = {m: latent.mean.detach().numpy() for m, latent in latents.items()}
    total = 0.0
    for one, other in ((A, A), (A, V), (V, V)):
        half = torch.tensor(np.corrcoef(rows[one], rows[other])[:48, 48:] / 2)
        same = torch.tensor(batch.labels[one][:, None] == batch.labels[other])
        total += float((torch.nn.functional.softplus(half) - same * half).mean())
    assert terms["likelihood"].item() == pytest.approx(total, rel=1e-4)
    cosine = pair_likelihood(latents[A].mean, latents[V].mean, same)
    assert cosine.item() != pytest.approx(total / 3, rel=1e-4)


def test_small_data_is_passed_over_until_it_gives_the_steps(make_data: MakeData) -> None:
    steps = {**SMALL, "least_steps": "50", "score_every": "1"}
    data = make_data(0), make_data(1)
    fitted = fit_method("vae_cca_as_coded", "tuned", steps, *data)
    assert fitted.history[-1]["epoch"] == 25  # of 2 batches each


@pytest.mark.parametrize("name", METHODS)
def test_the_class_is_found(make_data: MakeData, name: str) -> None:
    fitted = fit_method(name, "tuned", SMALL, make_data(0), make_data(1, per_class=4))
    assert score(fitted.towers, make_data(2)).mean > 0.7  # chance is near 0.28


@pytest.mark.parametrize("name", METHODS)
def test_published_presets_train(make_data: MakeData, name: str) -> None:
    settings = {**SMALL, "epochs": "2", "score_every": "1"}
    extra = {"pretrain": "1", "alternate": "true"} if name == "vae_cca" else {}
    data = make_data(0)
    fitted = fit_method(name, "paper", {**settings, **extra}, data, make_data(1))
    losses = [record["loss"] for record in fitted.history if "loss" in record]
    assert len(losses) == (3 if name == "vae_cca" else 2)
    assert np.isfinite(losses).all()


def test_three_modalities_share_what_the_code_shares_and_have_no_cca(
    make_data: MakeData,
) -> None:
    dims = {A: 5, T: 6, V: 7}
    train, validation = make_data(0, dims=dims), make_data(1, dims=dims)
    fitted = fit_method("vae_cca_as_coded", "tuned", SMALL, train, validation)
    assert score(fitted.towers, make_data(2, dims=dims)).mean > 0.6
    with pytest.raises(DataError, match="exactly two modalities"):
        fit_method("vae_cca", "tuned", SMALL, train, validation)


@pytest.mark.parametrize("name", METHODS)
def test_training_without_labels_is_refused(make_data: MakeData, name: str) -> None:
    with pytest.raises(DataError, match="needs two classes or more"):
        fit_method(name, "tuned", SMALL, make_data(0, labeled=False), None)
