"""Log-mel statistics: what a sound is made of and when things happen in it.

No weights. A row says how strong each mel band is, how much of the power is new (onset),
and where on the frequency axis the power lies. The pooled row is unchanged by gain as
long as nothing falls below -100 dB.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from crossmodal.frontends.checks import require_rows, require_waveform
from crossmodal.frontends.columns import layout, total_width
from crossmodal.frontends.frontend import Features, FrontEndSpec, Pooled
from crossmodal.frontends.mel import decibels, mel_filters, power_spectrogram
from crossmodal.frontends.timeline import (
    CONTOUR_BINS,
    CONTOUR_STEP_S,
    ENVELOPE_BINS,
    LAGS,
    RATES_HZ,
    binned,
    envelope,
    rhythm,
    timeline_settings,
)
from crossmodal.media.tracks import AudioRequest, Track, TrackRequest
from crossmodal.modality import Modality

SAMPLE_RATE_HZ = 16_000
REQUEST = AudioRequest(SAMPLE_RATE_HZ)
WINDOW = 1024  # samples: 64 ms
HOP = 400  # samples: 25 ms
HOPS_PER_ROW = 2
STEP_S = HOP * HOPS_PER_ROW / SAMPLE_RATE_HZ
BANDS = 64
RANGE_DB = 60.0  # what lies further below the clip's loudest moment counts as silence
COMPRESSION = 1000.0  # of onset strength: log(1 + COMPRESSION * power / loudest)
LOWEST_HZ = 62.5  # pitch columns count octaves above it
OCTAVES = 7.0  # from LOWEST_HZ to half the sample rate

COLUMNS = {
    "band": BANDS,  # dB
    "loudness": 1,  # dB, of the power in all bands
    "onset": 1,  # rise of the compressed spectrum, mean over bands
    "centroid": 1,  # octaves above LOWEST_HZ, as are the next two
    "spread": 1,
    "peak": 1,
    "tonality": 1,  # share of the power within the strongest bin and its neighbors
    "flatness": 1,  # geometric over arithmetic mean of the bands, natural logarithm
}
AT = layout(COLUMNS)
DIM = total_width(COLUMNS)

SHAPES = ("centroid", "spread", "peak", "tonality", "flatness")
POOLED = {
    "band_mean": BANDS,
    "band_deviation": BANDS,
    "band_high": BANDS // 2,
    "shape_mean": len(SHAPES),
    "shape_deviation": len(SHAPES),
    "level": 3,
    "onset": 3,
    "onset_envelope": ENVELOPE_BINS,
    "loudness_envelope": ENVELOPE_BINS,
    "onset_rhythm": LAGS + len(RATES_HZ),
    "loudness_rhythm": LAGS + len(RATES_HZ),
    "pitch_contour": CONTOUR_BINS,
    "pitch_motion": 2,
}
POOLED_AT = layout(POOLED)
POOLED_DIM = total_width(POOLED)


class LogMel:
    """Sound to 71 columns every 50 ms; pooled to class and timing statistics."""

    def __init__(self) -> None:
        """Describe it; there is nothing to choose or load."""
        self.request: TrackRequest = REQUEST
        self.spec = FrontEndSpec(
            name="logmel",
            version=1,
            modality=Modality.AUDIO,
            dim=DIM,
            pooled_dim=POOLED_DIM,
            step_s=STEP_S,
            settings={
                "sample_rate_hz": SAMPLE_RATE_HZ,
                "window": WINDOW,
                "hop": HOP,
                "hops_per_row": HOPS_PER_ROW,
                "bands": BANDS,
                "range_db": RANGE_DB,
                "compression": COMPRESSION,
                "lowest_hz": LOWEST_HZ,
                "octaves": OCTAVES,
                "columns": dict(COLUMNS),
                "pooled_columns": dict(POOLED),
                **timeline_settings(),
            },
        )

    def extract(self, track: Track) -> Features:
        """Return one row per 50 ms, the first centered near the start.

        Raises:
            ShapeError: If the track is no waveform at 16 kHz.
            NoTrackError: If it holds no sample.
        """
        waveform = require_waveform(track, REQUEST)
        spectra = power_spectrogram(waveform.samples, WINDOW, HOP)
        filters = mel_filters(SAMPLE_RATE_HZ, WINDOW, BANDS)
        onset = _per_row(onset_strength(spectra @ filters.T)[:, None]).max(axis=1)
        power = _per_row(spectra).mean(axis=1)
        bands = power @ filters.T
        rows = np.empty((len(power), DIM), dtype=np.float32)
        rows[:, AT["band"]] = decibels(bands)
        rows[:, AT["loudness"]] = decibels(bands.sum(axis=1, keepdims=True))
        rows[:, AT["onset"]] = onset
        rows[:, AT["centroid"].start : AT["flatness"].stop] = _shape(power, bands)
        return rows

    def pool(self, features: Features) -> Pooled:
        """Return the row of a whole clip; its parts are named in ``POOLED``.

        Raises:
            ShapeError: If the width is not 71 or there is no row.
        """
        rows = require_rows(features, DIM).astype(np.float64)
        loudness = rows[:, AT["loudness"].start]
        onset = rows[:, AT["onset"].start]
        peak = rows[:, AT["peak"].start] / OCTAVES
        level = np.maximum(loudness - loudness.max(), -RANGE_DB)
        amplitude = 10.0 ** (level / 20.0) if loudness.max() > -99.0 else 0.0 * level
        bands = np.maximum(rows[:, AT["band"]] - loudness.max(), -RANGE_DB) / RANGE_DB
        pairs = bands.reshape(len(bands), -1, 2).mean(axis=2)
        shapes = rows[:, AT["centroid"].start : AT["flatness"].stop] / _SHAPE_SCALE
        shape_mean, shape_deviation = _weighted_moments(shapes, amplitude)
        level_mean, level_deviation = level.mean() / RANGE_DB, level.std() / RANGE_DB
        steps = np.abs(np.diff(peak)) * np.minimum(amplitude[1:], amplitude[:-1])
        parts = {
            "band_mean": bands.mean(axis=0) + 0.5,
            "band_deviation": 4.0 * bands.std(axis=0),
            "band_high": np.quantile(pairs, 0.95, axis=0) + 0.5,
            "shape_mean": shape_mean,
            "shape_deviation": 4.0 * shape_deviation,
            "level": [level_mean, 4.0 * level_deviation, amplitude.mean()],
            "onset": [4.0 * onset.mean(), 4.0 * onset.std(), onset.max()],
            "onset_envelope": envelope(onset, STEP_S),
            "loudness_envelope": envelope(amplitude, STEP_S),
            "onset_rhythm": rhythm(onset, STEP_S),
            "loudness_rhythm": rhythm(amplitude, STEP_S),
            "pitch_contour": binned(
                peak, STEP_S, CONTOUR_STEP_S, CONTOUR_BINS, weights=amplitude
            ),
            "pitch_motion": [
                10.0 * steps.sum() / max(amplitude.sum(), 1e-9),
                _slope(peak, amplitude),
            ],
        }
        pooled: Pooled = np.concatenate([parts[name] for name in POOLED]).astype(np.float32)
        return pooled


_SHAPE_SCALE = np.array([OCTAVES, 2.0, OCTAVES, 1.0, 10.0])


def onset_strength(bands: np.ndarray) -> np.ndarray:
    """Return how much the compressed spectrum rose since the last hop.

    It does not change with gain: the spectrum is taken relative to its own maximum.

    Args:
        bands: Power per hop and mel band.

    Source:
        Müller 2021, Fundamentals of Music Processing, section 6.1.2 (spectral novelty
        with logarithmic compression).
    """
    top = bands.max()
    relative = bands / top if top > 0.0 else bands
    compressed = np.log1p(np.float32(COMPRESSION) * relative)
    rise = np.zeros(len(bands), dtype=np.float32)
    rise[1:] = np.maximum(np.diff(compressed, axis=0), 0.0).mean(axis=1)
    return rise


def _per_row(hops: np.ndarray) -> np.ndarray:
    """Group the hops of each row; where the last row lacks hops, its last repeats."""
    missing = -len(hops) % HOPS_PER_ROW
    whole = np.concatenate([hops, np.repeat(hops[-1:], missing, axis=0)])
    return whole.reshape(-1, HOPS_PER_ROW, hops.shape[1])


def _shape(power: np.ndarray, bands: np.ndarray) -> Float64[np.ndarray, "time shapes"]:
    """Return centroid, spread, peak, tonality and flatness of each row's spectrum."""
    bins_hz = np.fft.rfftfreq(WINDOW, 1 / SAMPLE_RATE_HZ)
    octaves = np.log2(np.maximum(bins_hz, LOWEST_HZ) / LOWEST_HZ)
    floored = power.astype(np.float64)
    total = floored.sum(axis=1) + np.finfo(np.float32).tiny
    centroid = floored @ octaves / total
    spread = np.sqrt(np.maximum(floored @ octaves**2 / total - centroid**2, 0.0))
    row = np.arange(len(power))
    top = np.clip(floored.argmax(axis=1), 1, len(octaves) - 2)
    near = [floored[row, top + offset] for offset in (-1, 0, 1)]
    mass = near[0] + near[1] + near[2]
    peak_hz = sum(
        part * bins_hz[top + offset] for part, offset in zip(near, (-1, 0, 1), strict=True)
    )
    safe = np.where(mass > 0.0, mass, 1.0)
    peak = np.log2(np.maximum(peak_hz / safe, LOWEST_HZ) / LOWEST_HZ)
    top_band = bands.max(axis=1, keepdims=True)
    loudest = np.where(top_band > 0.0, top_band, 1.0).astype(np.float64)
    lifted = bands / loudest + 10.0 ** (-RANGE_DB / 10)
    flatness = np.log(lifted).mean(axis=1) - np.log(lifted.mean(axis=1))
    return np.stack([centroid, spread, peak, mass / total, flatness], axis=1)


def _weighted_moments(
    values: Float64[np.ndarray, "time columns"], weights: Float64[np.ndarray, "time"]
) -> tuple[Float64[np.ndarray, "columns"], Float64[np.ndarray, "columns"]]:
    mass = max(float(weights.sum()), 1e-9)
    mean = weights @ values / mass
    return mean, np.sqrt(weights @ (values - mean) ** 2 / mass)


def _slope(
    values: Float64[np.ndarray, "time"], weights: Float64[np.ndarray, "time"]
) -> float:
    """Return the weighted change of the values from start to end, by least squares."""
    mass = float(weights.sum())
    if len(values) < 2 or mass <= 0.0:
        return 0.0
    when = np.linspace(-0.5, 0.5, len(values))
    when = when - weights @ when / mass
    return float((weights * when) @ values / max(float((weights * when) @ when), 1e-9))
