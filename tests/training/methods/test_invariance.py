"""What the protocol asks of every method: an embedding is a matter of its item alone."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
import torch

from crossmodal.modality import Modality
from training.data import TrainingData
from training.export import graph_of
from training.methods.catalog import METHODS
from training.methods.method import flat_state
from training.selection import Fitted, fit_method, restore
from training.validation import embed, score

A, V = Modality.AUDIO, Modality.VISUAL
SMALL = {"epochs": "25", "hidden": "24", "items_per_class": "4"}
TRIPLET = SMALL | {"dim": "6"}
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
    "cca": ("cca", {"k": "4"}),
    "c_cca": ("c_cca", {"ridge": "0.1"}),
    "posterior_product": ("posterior_product", {"classifier": "logistic", "c": "0.1"}),
    "posterior_product with networks": (
        "posterior_product",
        {"classifier": "mlp", "epochs": "20", "hidden": "16", "batch": "8"},
    ),
}
VARIANTS |= {name: (name, {}) for name in METHODS if name not in VARIANTS}
EXPORTABLE = [
    name for name, (method, _) in VARIANTS.items() if METHODS[method].card.exportable
]

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


def encode(fitted: Fitted, modality: Modality, rows: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        found: np.ndarray = fitted.towers[modality](torch.from_numpy(rows)).numpy()
    return found


def assert_alike(found: np.ndarray, expected: np.ndarray) -> None:
    assert found.shape == expected.shape
    cosines = (found.astype(np.float64) * expected).sum(axis=1)
    assert cosines.min() >= 0.9999


@pytest.mark.parametrize("variant", VARIANTS)
def test_embeddings_are_finite_unit_rows(
    fit: Fit, make_data: MakeData, variant: str
) -> None:
    for rows in embed(fit(variant).towers, make_data(2)).values():
        assert rows.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("variant", VARIANTS)
def test_other_modality_permuted_or_replaced_changes_nothing(
    fit: Fit, make_data: MakeData, variant: str
) -> None:
    data, fitted = make_data(2), fit(variant)
    expected = embed(fitted.towers, data)
    for modality, other in ((A, V), (V, A)):
        shuffled = data.features[other][::-1].copy()
        for rows in (shuffled, np.zeros_like(shuffled)):
            changed = replace(data, features={**data.features, other: rows})
            found = embed(fitted.towers, changed)
            np.testing.assert_array_equal(found[modality], expected[modality])


@pytest.mark.parametrize("variant", VARIANTS)
def test_batch_size_order_and_companions_change_nothing(
    fit: Fit, make_data: MakeData, variant: str
) -> None:
    fitted, data = fit(variant), make_data(2)
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


@pytest.mark.parametrize("variant", EXPORTABLE)
def test_exported_graph_equals_the_tower(
    fit: Fit, make_data: MakeData, variant: str
) -> None:
    fitted, data = fit(variant), make_data(2)
    for modality in (A, V):
        graph = graph_of(fitted.towers[modality], fitted.problem.dims[modality])
        session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
        for batch in (1, 2, 7):
            rows = data.features[modality][:batch]
            (found,) = session.run(["embedding"], {"features": rows})
            expected = encode(fitted, modality, rows)
            np.testing.assert_allclose(found, expected, atol=1e-4)
            assert_alike(found, expected)


@pytest.mark.parametrize("variant", VARIANTS)
def test_state_and_settings_restore_the_towers(
    fit: Fit, make_data: MakeData, variant: str
) -> None:
    fitted, data = fit(variant), make_data(2)
    towers = restore(
        fitted.method,
        fitted.settings.to_json(),
        fitted.problem,
        flat_state(fitted.towers),
    )
    expected = embed(fitted.towers, data)
    for modality, rows in embed(towers, data).items():
        np.testing.assert_array_equal(rows, expected[modality])


@pytest.mark.parametrize("variant", VARIANTS)
def test_same_seed_fits_the_same_towers_bit_for_bit(
    fit: Fit, make_data: MakeData, variant: str
) -> None:
    method, overrides = VARIANTS[variant]
    torch.manual_seed(12345)  # what the caller drew before must not matter
    again = fit_method(method, "tuned", overrides, make_data(0), make_data(1, per_class=4))
    expected = flat_state(fit(variant).towers)
    found = flat_state(again.towers)
    assert found.keys() == expected.keys()
    for name, tensor in found.items():
        assert torch.equal(tensor, expected[name]), name
    assert again.selection == fit(variant).selection


@pytest.mark.parametrize("variant", VARIANTS)
def test_fitting_leaves_the_callers_data_and_random_state_alone(
    make_data: MakeData, variant: str
) -> None:
    method, overrides = VARIANTS[variant]
    train, validation = make_data(0), make_data(1, per_class=4)
    before = torch.get_rng_state()
    fit_method(method, "tuned", overrides, train, validation)
    assert torch.equal(torch.get_rng_state(), before)
    for modality in (A, V):
        np.testing.assert_array_equal(
            train.features[modality], make_data(0).features[modality]
        )


@pytest.mark.parametrize("variant", [name for name in VARIANTS if name != "random"])
def test_learned_embeddings_beat_chance_by_far(
    fit: Fit, make_data: MakeData, variant: str
) -> None:
    found = score(fit(variant).towers, make_data(2))
    assert min(found.directions.values()) > 0.6  # chance is near 0.28


@pytest.mark.parametrize("variant", VARIANTS)
def test_class_paired_data_without_pairs_serves_every_method(
    make_data: MakeData, variant: str
) -> None:
    method, overrides = VARIANTS[variant]
    train, validation = make_data(0, unequal=True), make_data(1, unequal=True)
    assert train.pairs is None
    assert len(train.features[A]) != len(train.features[V])
    fitted = fit_method(method, "tuned", overrides, train, validation)
    assert fitted.pairs == ("drawn" if METHODS[method].card.needs_pairs else "unused")
    for rows in embed(fitted.towers, make_data(2)).values():
        assert np.isfinite(rows).all()
