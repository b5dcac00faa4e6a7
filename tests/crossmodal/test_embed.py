"""Sequences to embeddings: a clip's own steps, all of them, in their order."""

import io
import json
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from crossmodal.bundle import Bundle
from crossmodal.embed import clip_features, embed_clip, embed_features
from crossmodal.encoder import OnnxEncoder
from crossmodal.errors import BundleError, NoTrackError, ShapeError
from crossmodal.frontends.catalog import create_frontend
from crossmodal.media.decoder import Decoder
from crossmodal.modality import Modality
from tests.corpus.clips import Pictures, clip, encode
from tests.graphs import linear_graph

A, V = Modality.AUDIO, Modality.VISUAL
MakeBundle = Callable[..., Path]


def steps(count: int, dim: int = 6) -> np.ndarray:
    return np.random.default_rng(count).standard_normal((count, dim)).astype(np.float32)


def by_hand(bundle: Bundle, modality: Modality, rows: np.ndarray) -> np.ndarray:
    """Return what `tests.graphs.sequence_graph` says, from the graph's own matrix."""
    onnx = pytest.importorskip("onnx")
    model = onnx.load(bundle.directory / f"{modality}.onnx")
    (matrix,) = (
        onnx.numpy_helper.to_array(t) for t in model.graph.initializer if t.name == "matrix"
    )
    row = np.concatenate([rows.mean(axis=0), rows[-1]]) @ matrix
    found: np.ndarray = row / np.linalg.norm(row)
    return found


@pytest.fixture
def bundle(tiny_bundle: MakeBundle) -> Bundle:
    return Bundle.open(tiny_bundle(sequences=True))


def test_features_over_time_reach_a_sequence_encoder_as_they_are(bundle: Bundle) -> None:
    for count in (1, 2, 17):
        found = embed_features(bundle, A, steps(count))
        np.testing.assert_allclose(found, [by_hand(bundle, A, steps(count))], atol=1e-6)
    backwards = embed_features(bundle, A, steps(17)[::-1].copy())
    assert np.abs(backwards - embed_features(bundle, A, steps(17))).max() > 1e-3


@pytest.mark.parametrize("shape", [(6,), (0, 6), (3, 5), (1, 3, 6)])
def test_what_is_no_sequence_is_refused(bundle: Bundle, shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"expected audio features \(time, 6\), got"):
        embed_features(bundle, A, np.ones(shape, np.float32))


def test_companions_do_not_move_a_sequences_embedding(bundle: Bundle) -> None:
    encoder = bundle.encoder(V)
    together = np.stack([steps(4), 100 * steps(4)[::-1], steps(4) ** 2])
    alone = np.concatenate([encoder.embed(rows[None]) for rows in together])
    np.testing.assert_array_equal(encoder.embed(together), alone)
    with pytest.raises(ShapeError, match=r"expected features \(items, time, 6\)"):
        encoder.embed(steps(4))


def test_pooled_rows_still_take_no_time_axis(tiny_bundle: MakeBundle) -> None:
    encoder = Bundle.open(tiny_bundle()).encoder(A)
    with pytest.raises(ShapeError, match=r"expected features \(items, 6\), got"):
        encoder.embed(steps(4)[None])


def test_a_graph_and_a_manifest_that_differ_in_their_input_are_refused(
    tiny_bundle: MakeBundle,
) -> None:
    pooled = linear_graph(np.eye(6, dtype=np.float32))
    with pytest.raises(BundleError, match="the manifest says sequences, the graph takes"):
        OnnxEncoder(pooled, input_dim=6, dim=6, name="g", sequences=True)
    timed = (tiny_bundle(sequences=True) / "audio.onnx").read_bytes()
    with pytest.raises(BundleError, match="the manifest says pooled rows"):
        OnnxEncoder(timed, input_dim=6, dim=8, name="g")


def test_a_manifest_written_before_there_were_sequences_is_of_pooled_rows(
    tiny_bundle: MakeBundle,
) -> None:
    directory = tiny_bundle()
    manifest = json.loads((directory / "manifest.json").read_text())
    for spec in manifest["encoders"].values():
        del spec["sequences"]
    (directory / "manifest.json").write_text(json.dumps(manifest))
    assert not Bundle.open(directory).spec(A).sequences


def test_a_clip_reaches_a_sequence_encoder_by_its_steps(tiny_bundle: MakeBundle) -> None:
    frontend = create_frontend("logmel")
    bundle = Bundle.open(
        tiny_bundle(["audio"], sequences=True, frontends={"audio": frontend.spec})
    )
    clip = noise()
    with Decoder(workers=1) as decoder:
        found = embed_clip(bundle, clip, (A,), decoder)
        rows, _, _ = clip_features(clip, {A: frontend}, decoder, keep_steps=(A,))
        pooled, _, _ = clip_features(clip, {A: frontend}, decoder)
    assert rows[A].shape == (len(rows[A]), frontend.spec.dim)
    assert len(rows[A]) > 1
    np.testing.assert_allclose(
        found.embeddings[A], [by_hand(bundle, A, rows[A])], atol=1e-5
    )
    np.testing.assert_array_equal(pooled[A], frontend.pool(rows[A]))


def test_of_what_is_zero_the_clip_is_told_and_of_the_rest_the_encoder(
    tiny_bundle: MakeBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    frontend = create_frontend("framestats")
    bundle = Bundle.open(tiny_bundle(["visual"], frontends={"visual": frontend.spec}))
    black = encode("mp4", pictures=Pictures("libx264", [np.zeros((64, 64, 3), "u1")] * 5))
    with Decoder(workers=1) as decoder:
        with pytest.raises(NoTrackError, match="the visual track is empty"):
            embed_clip(bundle, black, (V,), decoder)
        monkeypatch.setattr(OnnxEncoder, "forward", lambda self, rows: np.zeros((1, 8)))
        with pytest.raises(ShapeError):
            embed_clip(bundle, clip("silent mp4"), (V,), decoder)


def noise() -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(16_000)
        sound = np.random.default_rng(0).normal(0, 3000, 16_000)
        wav.writeframes(np.clip(sound, -32768, 32767).astype("<i2").tobytes())
    return file.getvalue()
