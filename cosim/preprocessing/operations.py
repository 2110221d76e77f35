"""The nouns of preprocessing: what may be done to a continuous recording before it is cut."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Direction = Literal["causal", "acausal"]


@dataclass(frozen=True, slots=True)
class CommonAverageReference:
    """Subtract, at every sample, the mean over channels."""


@dataclass(frozen=True, slots=True)
class Band:
    """Butterworth filter in second-order sections.

    Parameters
    ----------
    low_hz, high_hz : float or None
        Edges at -3 dB (each pass) [Hz]. Without `low_hz` a low-pass, without `high_hz` a high-pass.
    order : int
        Order of the prototype: a band-pass has `order` sections, the others half as many, rounded up.
    direction : {'causal', 'acausal'}
        ``acausal`` filters forward and backward: no delay, and no device can do it while the signal arrives.
    """

    low_hz: float | None
    high_hz: float | None
    order: int
    direction: Direction


@dataclass(frozen=True, slots=True)
class Resample:
    """Causal polyphase resampling by a linear-phase Kaiser-windowed low-pass; its delay is kept, and stated.

    Parameters
    ----------
    rate_hz : float
        Rate afterwards [Hz].
    half_length : int
        Taps on either side of the centre, in units of the larger of the two factors.
    """

    rate_hz: float
    half_length: int = 10


@dataclass(frozen=True, slots=True)
class Decimate:
    """Keep every `factor`-th sample: no work, no delay; right only after a filter that ends below half the new rate."""

    factor: int


@dataclass(frozen=True, slots=True)
class SquareRoot:
    """Square root of counts: makes the variance of a Poisson count nearly independent of its mean."""


@dataclass(frozen=True, slots=True)
class Square:
    """Square of each sample: its power, in squared units."""


@dataclass(frozen=True, slots=True)
class Rectify:
    """Size of each sample, without its sign: smoothed, the envelope of a band."""


@dataclass(frozen=True, slots=True)
class Logarithm:
    """Natural logarithm of each sample; smaller ones, and negative ones, count as `least`.

    Parameters
    ----------
    least : float
        Above zero, in the units of what comes in (squared behind a `Square`).
    """

    least: float


@dataclass(frozen=True, slots=True)
class Step:
    """The record of one preprocessing step: its name, its parameters, and whether it looks ahead in time."""

    name: str
    parameters: Mapping[str, float | int | str]
    causal: bool


Operation = CommonAverageReference | Band | Resample | Decimate | SquareRoot | Square | Rectify | Logarithm


@dataclass(frozen=True, slots=True)
class Widths:
    """Fixed-point widths the counted pipeline runs at [bits].

    Coefficients of 16 and state of 32 bits hold the error of the shipped band-passes below one step of a 16-bit
    converter on noise (root of the mean square), and near one step on a recording of EEG, 11 steps at most;
    coefficients of 20 bits hold every sample within one (`cosim.preprocessing.integers.chain_agreement`).
    """

    sample_bits: int
    coefficient_bits: int = 16
    state_bits: int = 32


def eeg_operations(
    *,
    reference: Literal["average", "none"],
    low_hz: float | None,
    high_hz: float | None,
    order: int,
    direction: Direction,
    resample_hz: float | None,
    decimate: int = 1,
) -> tuple[Operation, ...]:
    """Return the usual EEG pipeline: re-reference, filter, decimate or resample; each part only where asked for."""
    operations: list[Operation] = []
    if reference == "average":
        operations.append(CommonAverageReference())
    if low_hz is not None or high_hz is not None:
        operations.append(Band(low_hz, high_hz, order, direction))
    if decimate > 1:
        operations.append(Decimate(decimate))
    if resample_hz is not None:
        operations.append(Resample(resample_hz))
    return tuple(operations)


def band_power_operations(
    *,
    low_hz: float,
    high_hz: float,
    order: int,
    smooth_hz: float,
    decimate: int,
    measure: Literal["power", "amplitude", "envelope", "log_power"],
    least: float = 0.0,
) -> tuple[Operation, ...]:
    """Return the pipeline of a band's power or envelope, step by step as the signal arrives.

    Parameters
    ----------
    low_hz, high_hz : float
        Edges of the band [Hz].
    order : int
        Of its filter; the smoothing one has order 1, which never undershoots.
    smooth_hz : float
        Edge of the low-pass behind the square, or the size [Hz].
    decimate : int
        Every so many samples one is kept.
    measure : {'power', 'amplitude', 'envelope', 'log_power'}
        ``amplitude``: root of the smoothed square; ``envelope``: smoothed size; ``log_power``: natural logarithm.
    least : float
        Of ``log_power``, the smallest power that is told apart, in squared units.
    """
    rectified: Operation = Rectify() if measure == "envelope" else Square()
    operations: list[Operation] = [
        Band(low_hz, high_hz, order, "causal"), rectified, Band(None, smooth_hz, 1, "causal"), Decimate(decimate)
    ]  # fmt: skip
    if measure == "amplitude":
        operations.append(SquareRoot())
    if measure == "log_power":
        operations.append(Logarithm(least))
    return tuple(operations)
