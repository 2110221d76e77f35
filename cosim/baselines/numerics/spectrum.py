"""Log band power by Welch's method in float32, with the exact work of a radix-2 real transform."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from cosim.baselines.numerics.small_algebra import summed
from energy_models.errors import DataError

WHERE = "baseline 'bandpower_svm'"
Floats = NDArray[np.float32]
Band = tuple[float, float]


def read_bands(text: str, *, where: str) -> tuple[Band, ...]:
    """Return edges [Hz] from text such as ``0.5-4,4-8``.

    Raises
    ------
    DataError
        If the text is no list of rising pairs.
    """
    try:
        bands = tuple((float(low), float(high)) for low, high in (part.split("-") for part in text.split(",")))
    except ValueError as error:
        raise DataError(f"bands_hz = {text!r} is no list of bands", where=where,
                        remedy="Write bands_hz = \"0.5-4,4-8\".") from error  # fmt: skip
    if wrong := [f"{low:g}-{high:g}" for low, high in bands if not 0 < low < high]:
        raise DataError(f"bands must rise from above zero, and {', '.join(wrong)} does not", where=where,
                        remedy="Write bands_hz = \"0.5-4,4-8\".")  # fmt: skip
    return bands


def band_bins(bands: tuple[Band, ...], segment_steps: int, step_rate_hz: float) -> tuple[NDArray[np.int64], ...]:
    """Return the transform's bins with low <= frequency < high of each band.

    Raises
    ------
    DataError
        If a band holds no bin.
    """
    rates_hz = np.arange(segment_steps // 2 + 1) * step_rate_hz / segment_steps
    bins = tuple(np.flatnonzero((rates_hz >= low) & (rates_hz < high)) for low, high in bands)
    if empty := [f"{low:g}-{high:g}" for (low, high), inside in zip(bands, bins, strict=True) if len(inside) == 0]:
        raise DataError(
            f"the band {', '.join(empty)} Hz holds no bin of a {segment_steps}-step transform at {step_rate_hz:g} Hz",
            where=WHERE, remedy="Widen it, or use longer segments.")  # fmt: skip
    return bins


def log_band_power(inputs: Floats, bins: tuple[NDArray[np.int64], ...], segment_steps: int) -> Floats:
    """Return natural logarithms of band power, shape (examples, channels * bands).

    Hann-windowed segments overlap by half, each without its mean; power is summed over segments and bins
    (Welch 1967, doi 10.1109/TAU.1967.1161901). A constant factor is left out: standardising removes it.

    Parameters
    ----------
    inputs : ndarray of float32, shape (examples, channels, steps)
    bins : tuple of ndarray
    segment_steps : int

    Raises
    ------
    DataError
        If a window is shorter than a segment, or a band holds no power at all.
    """
    if inputs.shape[2] < segment_steps:
        raise DataError(f"a window of {inputs.shape[2]} steps is shorter than a segment of {segment_steps}",
                        where=WHERE, remedy="Choose fewer segment_steps.")  # fmt: skip
    windows = np.lib.stride_tricks.sliding_window_view(inputs, segment_steps, axis=2)[:, :, :: segment_steps // 2]
    phase = 2 * np.pi * np.arange(segment_steps) / segment_steps
    hann = (0.5 - 0.5 * np.cos(phase)).astype(np.float32)
    total = np.zeros((*inputs.shape[:2], segment_steps // 2 + 1), dtype=np.float32)
    for segment in range(windows.shape[2]):
        part = windows[:, :, segment]
        spectrum = np.fft.rfft((part - part.mean(axis=2, keepdims=True)) * hann, axis=2)
        total += spectrum.real**2 + spectrum.imag**2
    power = np.stack([total[:, :, inside].sum(axis=2) for inside in bins], axis=2).reshape(len(inputs), -1)
    if not (power > 0).all():
        raise DataError("a band of some window holds no power, so its logarithm does not exist", where=WHERE,
                        remedy="Check the recording for flat windows.")  # fmt: skip
    return np.log(power)


def transform_operations(segment_steps: int) -> dict[str, int]:
    """Return the operations of a real radix-2 transform of N samples.

    N/2 complex values, (N/4) log2(N/2) butterflies of 4 multiplications and 6 additions, then N/4 pairs untangled
    with 4 and 10 (Cooley and Tukey 1965, doi 10.1090/S0025-5718-1965-0178586-1). Trivial twiddles count in full.
    """
    butterflies = segment_steps // 4 * round(math.log2(segment_steps // 2))
    pairs = segment_steps // 4
    return {"multiply": 4 * (butterflies + pairs), "add": 6 * butterflies + 10 * pairs}


def band_power_operations(
    channels: int, steps: int, bins: tuple[NDArray[np.int64], ...], segment: int
) -> dict[str, int]:
    """Return the operations of `log_band_power` on one example, before the logarithm's table.

    Each segment: mean (N-1 additions, 1 multiplication), its subtraction, window, transform, and for every bin of
    every band the squared magnitude added to the band's sum.
    """
    segments = (steps - segment) // (segment // 2) + 1
    used = sum(len(inside) for inside in bins)
    each = summed(
        {"add": 2 * segment - 1, "multiply": 1 + segment}, transform_operations(segment),
        {"multiply": 2 * used, "add": 2 * used},
    )  # fmt: skip
    return summed(each, times=channels * segments)
