"""What the protocol asks of every method: an embedding is a matter of its item alone."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

from crossmodal.modality import Modality
from training.data import TrainingData
from training.export import graph_of
from training.methods.catalog import METHODS
from training.methods.method import as_taken, flat_state
from training.protocol.selection import Fitted, fit_method, restore
from training.protocol.validation import embed, score

A, V = Modality.AUDIO, Modality.VISUAL
SMALL = {
    "least_steps": "0",
    "epochs": "25",
    "hidden": "24",
    "items_per_class": "4",
    "score_every": "5",
}
TRIPLET = SMALL | {"dim": "6"}
VARIATIONAL = {
    "epochs": "16",
    "least_steps": "0",
    "rate": "0.01",
    "hidden": "32",
    "shared": "16",
    "latent": "16",
    "batch": "24",
}
VARIANTS: dict[str, tuple[str, dict[str, str]]] = {
    "supcon": (
        "supcon",
        {"epochs": "40", "hidden": "32", "dim": "8", "items_per_class": "4"},
    ),
    "tnn": ("tnn", TRIPLET),
    "tnn_c_cca": ("tnn_c_cca", TRIPLET),
    "dscmr": ("dscmr", TRIPLET | {"rate": "0.01"}),
    "cctl": ("cctl", SMALL),
    "two_stage_triplet": ("two_stage_triplet", TRIPLET),
    "aadml": ("aadml", TRIPLET),
    "acmr": ("acmr", {"epochs": "15", "hidden": "32", "batch": "16"}),
    "ucal": ("ucal", {"epochs": "15", "hidden": "32", "batch": "16"}),
    "ugach": ("ugach", {"hidden": "32", "neighbors": "4", "pretrain": "40", "batch": "16"}),
    "vae_cca": ("vae_cca", VARIATIONAL),
    "vae_cca_as_coded": ("vae_cca_as_coded", VARIATIONAL),
    "agah": (
        "agah",
        {"epochs": "12", "hidden": "32", "width": "16", "items_per_class": "4"},
    ),
    "cca": ("cca", {"k": "4"}),
    "c_cca": ("c_cca", {"ridge": "0.1"}),
    "multi_view": ("multi_view", {"k": "4"}),
    "kcca": ("kcca", {"k": "5", "ridge": "0.01"}),
    "c_kcca": ("c_kcca", {"k": "5", "ridge": "0.01"}),
    "posterior_product": ("posterior_product", {"classifier": "logistic", "c": "0.1"}),
    "posterior_product with networks": (
        "posterior_product",
        {"classifier": "mlp", "epochs": "20", "hidden": "16", "batch": "8"},
    ),
}
NETWORKS = {
    "k": "3",
    "left_layers": "24-5",
    "right_layers": "24-5",
    "epochs": "10",
    "score_every": "5",
}
TWINS = {
    "left_hidden": "24",
    "right_hidden": "24",
    "epochs": "20",
    "rate": "0.01",
    "score_every": "5",
}
VARIANTS |= {"eics": ("eics", TWINS)}
VARIANTS |= {
    f"eics {space}": ("eics", TWINS | {"space": space})
    for space in ("explicit", "implicit", "ex_im_share")
}
VARIANTS |= {name: (name, NETWORKS) for name in ("dcca", "c_dcca", "s_dcca")}
RECURRENT = NETWORKS | {"left_layers": "12-6-5", "right_layers": "12-6-5", "epochs": "30"}
VARIANTS |= {"lstm_c_cca": ("lstm_c_cca", RECURRENT | {"steps": "4"})}
VARIANTS |= {name: (name, {}) for name in METHODS if name not in VARIANTS}
EXPORTABLE = [
    name for name, (method, _) in VARIANTS.items() if METHODS[method].card.exportable
]


def grouped(variants: Iterable[str]) -> list[Any]:
    """Keep a variant's tests in one worker, which then fits it once for all."""
    return [pytest.param(v, marks=pytest.mark.xdist_group(v)) for v in variants]


Fit = Callable[[str], Fitted]
MakeData = Callable[..., TrainingData]


@pytest.fixture(scope="module")
def fit(make_data: MakeData) -> Fit:
    """Fit a variant once for all tests."""
    done: dict[str, Fitted] = {}

    def once(variant: str) -> Fitted:
        if variant not in done:
            method, overrides = VARIANTS[variant]
            train, validation = make_data(0), make_data(1, per_class=4)
            done[variant] = fit_method(method, "tuned", overrides, train, validation)
        return done[variant]

    return once


def fit_briefly(variant: str, train: TrainingData, validation: TrainingData) -> Fitted:
    """Fit for two epochs at most: enough where it does not matter how well."""
    method, overrides = VARIANTS[variant]
    brief = {name: "2" for name in ("epochs", "pretrain") if name in overrides}
    return fit_method(method, "tuned", overrides | brief, train, validation)


def taken(variant: str, data: TrainingData) -> TrainingData:
    """Return data as the variant's towers take them."""
    return as_taken(METHODS[VARIANTS[variant][0]].card, data)


def encode(fitted: Fitted, modality: Modality, rows: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        found: np.ndarray = fitted.towers[modality](torch.from_numpy(rows)).numpy()
    return found


def assert_alike(found: np.ndarray, expected: np.ndarray) -> None:
    assert found.shape == expected.shape
    cosines = (found.astype(np.float64) * expected).sum(axis=1)
    assert cosines.min() >= 0.9999


@pytest.mark.parametrize("variant", grouped(VARIANTS))
def test_embeddings_are_finite_unit_rows(
    fit: Fit, make_data: MakeData, variant: str
) -> None:
    for rows in embed(fit(variant).towers, taken(variant, make_data(2))).values():
        assert rows.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("variant", grouped(VARIANTS))
def test_other_modality_permuted_or_replaced_changes_nothing(
    fit: Fit, make_data: MakeData, variant: str
) -> None:
    data, fitted = taken(variant, make_data(2)), fit(variant)
    expected = embed(fitted.towers, data)
    for modality, other in ((A, V), (V, A)):
        shuffled = data.features[other][::-1].copy()
        for rows in (shuffled, np.zeros_like(shuffled)):
            changed = replace(data, features={**data.features, other: rows})
            found = embed(fitted.towers, changed)
            np.testing.assert_array_equal(found[modality], expected[modality])


@pytest.mark.parametrize("variant", grouped(VARIANTS))
def test_batch_size_order_and_companions_change_nothing(
    fit: Fit, make_data: MakeData, variant: str
) -> None:
    fitted, data = fit(variant), taken(variant, make_data(2))
    for modality in (A, V):
        rows = data.features[modality]
        together = encode(fitted, modality, rows)
        alone = np.concatenate([encode(fitted, modality, row[None]) for row in rows])
        assert_alike(alone, together)
        order = np.random.default_rng(0).permutation(len(rows))
        assert_alike(encode(fitted, modality, rows[order]), together[order])
        strangers = 100 * np.random.default_rng(1).standard_normal(rows.shape)
        mixed = np.concatenate([rows[:5], strangers.astype(np.float32)])
        assert_alike(encode(fitted, modality, mixed)[:5], together[:5])


@pytest.mark.parametrize("variant", grouped(EXPORTABLE))
def test_exported_graph_equals_the_tower(
    fit: Fit, make_data: MakeData, variant: str
) -> None:
    fitted, data = fit(variant), taken(variant, make_data(2))
    sequences = METHODS[fitted.method].card.sequences
    for modality in (A, V):
        dim = fitted.problem.dims[modality]
        graph = graph_of(fitted.towers[modality], dim, sequences=sequences)
        session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
        for batch in (1, 2, 7):
            rows = data.features[modality][:batch]
            (found,) = session.run(["embedding"], {"features": rows})
            expected = encode(fitted, modality, rows)
            np.testing.assert_allclose(found, expected, atol=1e-4)
            assert_alike(found, expected)


@pytest.mark.parametrize("variant", grouped(VARIANTS))
def test_state_and_settings_restore_the_towers(
    fit: Fit, make_data: MakeData, variant: str
) -> None:
    fitted, data = fit(variant), taken(variant, make_data(2))
    towers = restore(
        fitted.method,
        fitted.settings.to_json(),
        fitted.problem,
        flat_state(fitted.towers),
    )
    expected = embed(fitted.towers, data)
    for modality, rows in embed(towers, data).items():
        np.testing.assert_array_equal(rows, expected[modality])
        # as loaded: some processors' products round by the layout, others' do not
        for name, tensor in fitted.towers[modality].state_dict().items():
            assert tensor.is_contiguous(), name


@pytest.mark.parametrize("variant", grouped(VARIANTS))
def test_same_seed_fits_the_same_towers_and_leaves_the_callers_things_alone(
    make_data: MakeData, variant: str
) -> None:
    train, validation = make_data(0), make_data(1, per_class=4)
    first = fit_briefly(variant, train, validation)
    torch.manual_seed(12345)  # what the caller drew before must not matter
    before = torch.get_rng_state()
    again = fit_briefly(variant, train, validation)
    assert torch.equal(torch.get_rng_state(), before)
    for modality in (A, V):
        np.testing.assert_array_equal(
            train.features[modality], make_data(0).features[modality]
        )
    expected, found = flat_state(first.towers), flat_state(again.towers)
    assert found.keys() == expected.keys()
    for name, tensor in found.items():
        assert torch.equal(tensor, expected[name]), name
    assert again.selection == first.selection


@pytest.mark.parametrize("variant", grouped([v for v in VARIANTS if v != "random"]))
def test_learned_embeddings_beat_chance_by_far(
    fit: Fit, make_data: MakeData, variant: str
) -> None:
    found = score(fit(variant).towers, taken(variant, make_data(2)))
    assert min(found.directions.values()) > 0.6  # chance is near 0.28


@pytest.mark.parametrize("variant", grouped(VARIANTS))
def test_class_paired_data_without_pairs_serves_every_method(
    make_data: MakeData, variant: str
) -> None:
    train, validation = make_data(0, unequal=True), make_data(1, unequal=True)
    assert train.pairs is None
    assert len(train.features[A]) != len(train.features[V])
    fitted = fit_briefly(variant, train, validation)
    needs_pairs = METHODS[fitted.method].card.needs_pairs
    assert fitted.pairs == ("drawn" if needs_pairs else "unused")
    for rows in embed(fitted.towers, taken(variant, make_data(2))).values():
        assert np.isfinite(rows).all()
