import numpy as np
import pytest

from training.demo.sound import (
    SAMPLE_RATE_HZ,
    burst,
    falling,
    mix,
    noise,
    sine,
    struck,
    timeline,
)


def strongest_hz(sound: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(sound))
    return float(np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE_HZ)[spectrum.argmax()])


def test_mix_adds_sounds_at_their_onsets_and_cuts_them_at_the_end() -> None:
    sound = np.ones(4)
    step_s = 1 / SAMPLE_RATE_HZ
    track = mix(6 * step_s, [(step_s, sound), (4 * step_s, 2 * sound), (9 * step_s, sound)])
    assert track.tolist() == [0, 1, 1, 1, 3, 2]
    assert sound.tolist() == [1, 1, 1, 1]


def test_sine_has_the_frequency_it_follows() -> None:
    assert strongest_hz(sine(np.full(SAMPLE_RATE_HZ, 440.0))) == 440


def test_struck_fades_by_e_per_decay_and_drops_what_cannot_be_sampled() -> None:
    sound = struck(1000, (1, 100), (1, 1), (0.1, 0.1))
    period = SAMPLE_RATE_HZ // 1000
    early, late = (np.abs(sound[start : start + period]).max() for start in (320, 3520))
    assert late / early == pytest.approx(np.exp(-1), rel=0.01)
    assert strongest_hz(sound) == pytest.approx(1000, abs=5)


def test_falling_starts_high_and_ends_low() -> None:
    thump = falling(400, 100, fall_s=0.05, decay_s=0.2)
    head, tail = thump[: SAMPLE_RATE_HZ // 50], thump[SAMPLE_RATE_HZ // 4 :]
    assert strongest_hz(head) > 250
    assert strongest_hz(tail) == pytest.approx(100, abs=5)


def test_noise_keeps_to_its_band_at_unit_level() -> None:
    sound = noise(np.random.default_rng(0), 2.0, 500, 2000)
    power = np.abs(np.fft.rfft(sound)) ** 2
    frequency_hz = np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE_HZ)
    inside = power[(frequency_hz > 250) & (frequency_hz < 4000)].sum()
    assert sound.std() == pytest.approx(1)
    assert inside / power.sum() > 0.9


def test_noise_slope_changes_the_level_by_that_much_per_octave() -> None:
    sound = noise(np.random.default_rng(0), 8.0, 1, 1e6, slope_db=-6)
    power = np.abs(np.fft.rfft(sound)) ** 2
    frequency_hz = np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE_HZ)
    levels = [
        10 * np.log10(power[np.abs(frequency_hz - f) < 50].mean()) for f in (1000, 2000)
    ]
    assert levels[1] - levels[0] == pytest.approx(-6, abs=1)


def test_burst_is_loudest_at_its_onset() -> None:
    sound = burst(np.random.default_rng(0), 0.05, 200, 5000)
    halves = np.array_split(sound**2, 6)
    energies = [half.sum() for half in halves]
    assert energies == sorted(energies, reverse=True)


def test_timeline_gives_seconds() -> None:
    time_s = timeline(0.5)
    assert len(time_s) == SAMPLE_RATE_HZ // 2
    assert time_s[-1] == pytest.approx(0.5 - 1 / SAMPLE_RATE_HZ)
