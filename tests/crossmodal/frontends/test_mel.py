from __future__ import annotations

import librosa
import numpy as np
import pytest

from crossmodal.frontends.mel import (
    decibels,
    hz_to_mel,
    mel_filters,
    mel_to_hz,
    power_spectrogram,
)

RATE_HZ = 16_000


def noise(length: int) -> np.ndarray:
    chance = np.random.default_rng(3)
    return (0.1 * chance.standard_normal(length)).astype(np.float32)


def tone(hz: float) -> np.ndarray:
    time_s = np.arange(RATE_HZ) / RATE_HZ
    return (0.5 * np.sin(2 * np.pi * hz * time_s)).astype(np.float32)


@pytest.mark.parametrize(
    "samples",
    [noise(24_000), noise(1), noise(999), tone(440.0), np.zeros(4000, np.float32)],
)
@pytest.mark.parametrize(("window", "hop", "bands"), [(1024, 400, 64), (512, 160, 40)])
def test_log_mel_equals_librosa_within_a_ten_thousandth_of_a_decibel(
    samples: np.ndarray, window: int, hop: int, bands: int
) -> None:
    expected = librosa.power_to_db(
        librosa.feature.melspectrogram(
            y=np.pad(samples, (0, max(0, window - len(samples)))),
            sr=RATE_HZ,
            n_fft=window,
            hop_length=hop,
            n_mels=bands,
        ),
        amin=1e-10,
        top_db=None,
    ).T
    power = power_spectrogram(samples, window, hop) @ mel_filters(RATE_HZ, window, bands).T
    ours = decibels(power)
    assert len(ours) == 1 + len(samples) // hop
    np.testing.assert_allclose(ours, expected[: len(ours)], rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("rate_hz", "window", "bands"), [(16_000, 1024, 64), (44_100, 2048, 128)]
)
def test_filters_equal_those_of_librosa(rate_hz: int, window: int, bands: int) -> None:
    expected = librosa.filters.mel(sr=rate_hz, n_fft=window, n_mels=bands)
    np.testing.assert_allclose(mel_filters(rate_hz, window, bands), expected, atol=1e-8)


def test_mel_scale_at_points_known_by_definition() -> None:
    hz = np.array([0.0, 200.0, 1000.0, 6400.0])
    mel = np.array([0.0, 3.0, 15.0, 42.0])
    np.testing.assert_allclose(hz_to_mel(hz), mel, atol=1e-12)
    np.testing.assert_allclose(mel_to_hz(mel), hz, atol=1e-9)


@pytest.mark.parametrize("hz", [125.0, 1000.0, 5000.0])
def test_a_tone_is_strongest_in_the_band_around_its_frequency(hz: float) -> None:
    power = power_spectrogram(tone(hz), 1024, 400) @ mel_filters(RATE_HZ, 1024, 64).T
    edges_hz = mel_to_hz(np.linspace(0, hz_to_mel(np.array([8000.0]))[0], 66))
    nearest = np.argmin(np.abs(edges_hz[1:-1] - hz))
    assert abs(int(power.mean(axis=0).argmax()) - int(nearest)) <= 1


def test_filters_cannot_be_changed_through_the_cache() -> None:
    with pytest.raises(ValueError, match="read-only"):
        mel_filters(RATE_HZ, 1024, 64)[0, 0] = 1.0


def test_silence_is_the_floor() -> None:
    assert decibels(np.zeros(1, dtype=np.float32))[0] == pytest.approx(-100.0)
