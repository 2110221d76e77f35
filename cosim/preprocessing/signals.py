"""Signal processing as pure functions of arrays of shape (channels, samples)."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import scipy.signal  # pyright: ignore[reportMissingTypeStubs]
from numpy.typing import NDArray

from cosim.preprocessing.operations import Band, Resample
from energy_models.errors import DataError

_signal: Any = scipy.signal  # scipy ships no types for its signal functions
Samples = NDArray[np.float64]
KAISER_BETA = 5.0  # scipy.signal.resample_poly's own window: about 50 dB of stop-band attenuation
LARGEST_FACTOR = 1000
PAD_PER_TAP = 3


def common_average_reference(samples: Samples) -> Samples:
    """Return the samples with the mean over channels subtracted at every instant."""
    return samples - samples.mean(axis=0, keepdims=True)


def sections(band: Band, rate_hz: float) -> NDArray[np.float64]:
    """Return the second-order sections of a Butterworth filter, shape (sections, 6).

    Raises
    ------
    DataError
        If an edge is outside (0, rate/2) or the edges are not in order.
    """
    edges = [edge for edge in (band.low_hz, band.high_hz) if edge is not None]
    nyquist_hz = rate_hz / 2
    if not edges or min(edges) <= 0 or max(edges) >= nyquist_hz or edges != sorted(set(edges)):
        raise DataError(
            f"a filter with edges {band.low_hz} and {band.high_hz} Hz cannot be built at {rate_hz:g} Hz",
            where="band",
            remedy=f"Edges must rise and lie between 0 and {nyquist_hz:g} Hz.",
        )
    kind = "bandpass" if len(edges) == 2 else ("lowpass" if band.low_hz is None else "highpass")
    wanted = edges if len(edges) == 2 else edges[0]
    return np.asarray(_signal.butter(band.order, wanted, kind, fs=rate_hz, output="sos"), dtype=np.float64)


def filter_band(samples: Samples, band: Band, rate_hz: float) -> Samples:
    """Return the filtered samples.

    The causal filter starts as if the first sample had lasted for ever before it, so that an offset makes no
    transient; nothing later than a sample enters its output. The acausal one runs forward and backward.

    Raises
    ------
    DataError
        If the filter cannot be built, or there are too few samples for an acausal one.
    """
    sos = sections(band, rate_hz)
    if band.direction == "acausal":
        first_order = min(int((sos[:, 2] == 0).sum()), int((sos[:, 5] == 0).sum()))
        reflected = PAD_PER_TAP * (2 * len(sos) + 1 - first_order)  # what scipy adds at both ends
        if samples.shape[1] <= reflected:
            raise DataError(f"a stretch of {samples.shape[1]} samples is too short for an acausal filter of order "
                            f"{band.order}", where="preprocessing",
                            remedy=f"Leave out stretches of {reflected} samples or less, or filter causally.")
        return np.asarray(_signal.sosfiltfilt(sos, samples, axis=-1), dtype=np.float64)
    rest = np.asarray(_signal.sosfilt_zi(sos), dtype=np.float64)
    start = rest[:, None, :] * samples[None, :, :1]
    filtered, _ = _signal.sosfilt(sos, samples, axis=-1, zi=start)
    return np.asarray(filtered, dtype=np.float64)


def factors(resample: Resample, rate_hz: float) -> tuple[int, int]:
    """Return the factors (up, down) with rate_hz * up / down equal to the wanted rate.

    Raises
    ------
    DataError
        If no pair of factors below a thousand gives the rate exactly.
    """
    ratio = Fraction(resample.rate_hz).limit_denominator(10**6) / Fraction(rate_hz).limit_denominator(10**6)
    near = ratio.limit_denominator(LARGEST_FACTOR)
    if near <= 0 or near.numerator > LARGEST_FACTOR or near != ratio:
        raise DataError(
            f"{rate_hz:g} Hz cannot be resampled to {resample.rate_hz:g} Hz by whole factors below {LARGEST_FACTOR}",
            where="resample",
            remedy=f"Choose a rate such as {rate_hz / 2!r} Hz.",
        )
    return near.numerator, near.denominator


def resampling_taps(resample: Resample, rate_hz: float) -> NDArray[np.float64]:
    """Return the low-pass of the polyphase resampler, at `up` times the incoming rate."""
    up, down = factors(resample, rate_hz)
    widest = max(up, down)
    taps = _signal.firwin(2 * resample.half_length * widest + 1, 1.0 / widest, window=("kaiser", KAISER_BETA))
    return np.asarray(taps, dtype=np.float64) * up


def resampling_delay_s(resample: Resample, rate_hz: float) -> float:
    """Return the group delay of the resampler [s]: half its length."""
    up, _ = factors(resample, rate_hz)
    return (len(resampling_taps(resample, rate_hz)) - 1) / 2 / (rate_hz * up)


def resample_causally(samples: Samples, resample: Resample, rate_hz: float) -> Samples:
    """Return the samples at the new rate; output m uses nothing later than input m * down / up.

    The samples before the recording are taken to equal its first one.
    """
    up, down = factors(resample, rate_hz)
    taps = resampling_taps(resample, rate_hz)
    offset = samples[:, :1]
    moved = np.asarray(_signal.upfirdn(taps, samples - offset, up=up, down=down, axis=-1), dtype=np.float64)
    wanted = -(-samples.shape[1] * up // down)
    return moved[:, :wanted] + offset


def logarithm(samples: Samples, least: float) -> Samples:
    """Return the natural logarithm of samples, of which none counts as less than `least`.

    Raises
    ------
    DataError
        If `least` is not above zero.
    """
    if not least > 0:
        raise DataError(f"the logarithm of values from {least:g} on was asked for", where="logarithm",
                        remedy="Give the smallest value that is to be told apart, above zero.")
    return np.log(np.maximum(samples, least))


def square_root(samples: Samples) -> Samples:
    """Return the square root of non-negative counts.

    Raises
    ------
    DataError
        If a value is negative.
    """
    if samples.size and samples.min() < 0:
        raise DataError("the square root of a negative value was asked for", where="square_root",
                        remedy="Use this step on spike counts only.")
    return np.sqrt(samples)
