from __future__ import annotations

import numpy as np
import pytest

from crossmodal.errors import ShapeError
from crossmodal.frontends.logmel import AT, BANDS, DIM, POOLED_AT, LogMel, onset_strength
from crossmodal.frontends.mel import hz_to_mel, mel_to_hz
from crossmodal.frontends.timeline import LAGS, RATES_HZ
from crossmodal.media.tracks import Waveform


def pooled(samples: np.ndarray) -> np.ndarray:
    frontend = LogMel()
    return frontend.pool(frontend.extract(Waveform(samples.astype(np.float32), 16_000)))


def clicks(period_s: float, first_s: float, duration_s: float = 5.0) -> np.ndarray:
    chance = np.random.default_rng(2)
    samples = 1e-3 * chance.standard_normal(round(16_000 * duration_s))
    for start in np.arange(first_s, duration_s - 0.05, period_s):
        at = round(16_000 * start)
        samples[at : at + 400] += 0.4 * chance.standard_normal(400)
    return samples


def tone(hz: float, duration_s: float = 2.0) -> np.ndarray:
    return 0.3 * np.sin(2 * np.pi * hz * np.arange(round(16_000 * duration_s)) / 16_000)


def test_the_spec_says_what_comes_out(chirps: Waveform) -> None:
    frontend = LogMel()
    rows = frontend.extract(chirps)
    assert rows.dtype == np.float32
    assert rows.shape == (61, frontend.spec.dim)  # 3 s and the window on the last sample
    assert frontend.pool(rows).shape == (frontend.spec.pooled_dim,)
    assert frontend.spec.step_s == 0.05


@pytest.mark.parametrize("hz", [150.0, 700.0, 3000.0])
def test_a_tone_shows_in_its_band_its_peak_and_its_centroid(hz: float) -> None:
    rows = LogMel().extract(Waveform(tone(hz).astype(np.float32), 16_000))
    inside = rows[4:-4].mean(axis=0)
    centers_hz = mel_to_hz(np.linspace(0, hz_to_mel(np.array([8000.0]))[0], BANDS + 2))[
        1:-1
    ]
    assert (
        abs(int(inside[AT["band"]].argmax()) - int(np.abs(centers_hz - hz).argmin())) <= 1
    )
    assert 62.5 * 2 ** inside[AT["peak"]][0] == pytest.approx(hz, rel=0.02)
    assert 62.5 * 2 ** inside[AT["centroid"]][0] == pytest.approx(hz, rel=0.03)
    assert inside[AT["tonality"]][0] > 0.95


def test_a_tone_is_tonal_and_noise_is_flat() -> None:
    hiss = 0.1 * np.random.default_rng(0).standard_normal(32_000)
    of_tone = LogMel().extract(Waveform(tone(700.0).astype(np.float32), 16_000))[4:-4]
    of_noise = LogMel().extract(Waveform(hiss.astype(np.float32), 16_000))[4:-4]
    assert of_noise[:, AT["flatness"]].min() > of_tone[:, AT["flatness"]].max() + 3
    assert of_noise[:, AT["tonality"]].max() < 0.5 < of_tone[:, AT["tonality"]].min()


@pytest.mark.parametrize("gain", [0.1, 2.0])
def test_the_pooled_row_does_not_change_with_gain(chirps: Waveform, gain: float) -> None:
    louder = pooled(gain * chirps.samples)
    np.testing.assert_allclose(louder, pooled(chirps.samples), atol=2e-3)


def test_gain_shifts_loudness_by_its_decibels(chirps: Waveform) -> None:
    frontend = LogMel()
    louder = frontend.extract(Waveform(np.float32(2) * chirps.samples, 16_000))
    shift = louder[:, AT["loudness"]] - frontend.extract(chirps)[:, AT["loudness"]]
    np.testing.assert_allclose(shift, 20 * np.log10(2), atol=1e-3)


def test_two_clicks_a_second_show_in_lag_rate_and_envelope() -> None:
    row = pooled(clicks(period_s=0.5, first_s=0.4))
    values = row[POOLED_AT["onset_rhythm"]]
    assert 3 + int(values[2:8].argmax()) == 5  # lags of 0.1 s
    assert RATES_HZ[values[LAGS:].argmax()] == pytest.approx(2.0)
    envelope = row[POOLED_AT["onset_envelope"]]
    assert envelope[2] > 3 * envelope[0]  # 0.4 s against 0 s
    assert not envelope[26:].any()  # the clip ends at 5 s


def test_slower_clicks_have_a_slower_rhythm() -> None:
    values = pooled(clicks(period_s=1.0, first_s=0.3))[POOLED_AT["onset_rhythm"]]
    assert values[9] > 0.6  # lag of 1 s
    assert values[4] < 0.3  # and not of half a second


def test_a_rising_pitch_rises_in_the_contour_and_a_falling_one_falls() -> None:
    time_s = np.arange(64_000) / 16_000
    sweep = 0.3 * np.sin(2 * np.pi * (200 * time_s + 100 * time_s**2))  # 200 to 1000 Hz
    row = pooled(sweep)
    contour = row[POOLED_AT["pitch_contour"]][:10]
    assert (np.diff(contour) > 0).all()
    assert row[POOLED_AT["pitch_motion"]][1] > 0.2
    assert pooled(sweep[::-1])[POOLED_AT["pitch_motion"]][1] < -0.2


def test_onset_strength_by_hand() -> None:
    bands = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, 0.0]], dtype=np.float32)
    rise = onset_strength(bands)
    assert rise.tolist() == pytest.approx([0, np.log(1001) / 2, 0])


@pytest.mark.parametrize("length", [1, 399, 401, 16_000])
def test_silence_and_the_shortest_sounds_give_finite_rows(length: int) -> None:
    for samples in (np.zeros(length), np.ones(length)):
        row = pooled(samples)
        assert np.isfinite(row).all()
        assert np.abs(row).max() < 20


def test_silence_has_no_events() -> None:
    row = pooled(np.zeros(16_000))
    for name in ("onset_envelope", "loudness_envelope", "onset_rhythm", "loudness_rhythm"):
        assert not row[POOLED_AT[name]].any()


def test_a_clip_gives_the_same_bits_alone_and_after_others(chirps: Waveform) -> None:
    frontend = LogMel()
    alone = frontend.pool(frontend.extract(chirps))
    frontend.pool(frontend.extract(Waveform(clicks(0.3, 0.1).astype(np.float32), 16_000)))
    assert np.array_equal(frontend.pool(frontend.extract(chirps)), alone)
    assert np.array_equal(LogMel().pool(LogMel().extract(chirps)), alone)


def test_the_input_is_left_untouched(chirps: Waveform) -> None:
    before = chirps.samples.copy()
    rows = LogMel().extract(chirps)
    kept = rows.copy()
    LogMel().pool(rows)
    assert np.array_equal(chirps.samples, before)
    assert np.array_equal(rows, kept)


CANONICAL_NORMS = {
    "band_mean": 3.46134,
    "band_deviation": 5.19675,
    "band_high": 2.34378,
    "shape_mean": 1.17874,
    "shape_deviation": 0.90215,
    "level": 0.64762,
    "onset": 0.82649,
    "onset_envelope": 2.93663,
    "loudness_envelope": 2.82981,
    "onset_rhythm": 1.44908,
    "loudness_rhythm": 1.61441,
    "pitch_contour": 1.26927,
    "pitch_motion": 0.38985,
}


def test_canonical_vector(chirps: Waveform) -> None:
    row = LogMel().pool(LogMel().extract(chirps))
    norms = {part: float(np.linalg.norm(row[at])) for part, at in POOLED_AT.items()}
    assert norms == pytest.approx(CANONICAL_NORMS, rel=1e-3, abs=1e-5)


def test_rows_of_another_width_are_refused() -> None:
    with pytest.raises(ShapeError, match=f"{DIM}"):
        LogMel().pool(np.zeros((3, DIM + 1), dtype=np.float32))
