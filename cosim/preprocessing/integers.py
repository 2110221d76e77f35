"""The recorded pipeline as integer stages of the widths that it is counted at."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cosim.preprocessing import signals
from cosim.preprocessing.operations import (
    Band,
    CommonAverageReference,
    Decimate,
    Logarithm,
    Operation,
    Rectify,
    Resample,
    Square,
    SquareRoot,
    Widths,
)
from cosim.preprocessing.pipeline import check_aliasing, process, rate_after
from cosim.preprocessing.signals import factors, resampling_taps, sections
from energy_models.errors import DataError
from students.deploy.input_chain import (
    LOGARITHM_BITS,
    InputChain,
    Keep,
    Polyphase,
    Reference,
    Root,
    Sections,
    Stage,
    logarithm_entries,
)
from students.deploy.input_chain import Logarithm as LogarithmByTable
from students.deploy.input_chain import Rectify as Rectified
from students.deploy.input_chain import Square as Squared

FRACTION_BITS = 12
"""Fractional bits of a sample inside the chain, of converters up to 16 bits."""

HEAD_BITS = 4
"""Bits of a state above the converter's, for what filters add."""

OUTPUT_BITS = 16
"""Width of the codes that the chain puts out."""


LOGARITHM_MAGNITUDE = 5
"""Bits in front of the point of a logarithm to base two of a state [bits]."""


@dataclass(frozen=True, slots=True)
class Format:
    """What numbers between two stages stand for: value = integer * unit / 2^fraction + offset.

    Parameters
    ----------
    unit : float
    fraction : int
        Fractional bits.
    magnitude : int
        Bits in front of the point, without the sign.
    measure : {'samples', 'power', 'logarithm'}
        ``power``: never negative.
    offset : float
    """

    unit: float
    fraction: int
    magnitude: int
    measure: Literal["samples", "power", "logarithm"] = "samples"
    offset: float = 0.0

    @property
    def output_shift(self) -> int:
        """Fractional bits, and more where the ends of the codes ask for it, that are rounded away at the end."""
        room = OUTPUT_BITS - 1 - self.magnitude
        if self.measure == "samples":  # filters add to a signal
            return self.fraction - min(self.fraction, max(room - 1, 0))
        return max(self.fraction - room, 0)


@dataclass(frozen=True, slots=True)
class ChainAgreement:
    """Integer stages against the same operations in float64, on the same samples.

    Parameters
    ----------
    codes : int
        Compared.
    largest, deviation : float
        Greatest difference, and root of the mean square of differences [steps of the codes].
    converter_step : float
        One step of the converter [steps of the codes].
    """

    codes: int
    largest: float
    deviation: float
    converter_step: float


def integer_chain(
    operations: Sequence[Operation], *, rate_hz: float, channels: int, converter: Literal["signed", "unsigned"],
    step: float, widths: Widths,
) -> InputChain:  # fmt: skip
    """Return a pipeline in integers.

    Parameters
    ----------
    operations : sequence of Operation
    rate_hz : float
        Of the recording [Hz].
    channels : int
    converter : {'signed', 'unsigned'}
        What its samples are.
    step : float
        What one step of the converter is worth, in units of the recording.
    widths : Widths
        Of samples, coefficients and state.

    Raises
    ------
    DataError
        An operation that looks ahead, coefficients that their width does not hold, or a root of other than counts.
    """
    check_aliasing(operations, rate_hz)
    fraction = min(FRACTION_BITS, widths.state_bits - HEAD_BITS - widths.sample_bits)
    if fraction < 0:
        raise DataError(
            f"a state of {widths.state_bits} bits for samples of {widths.sample_bits}", where="integer_chain",
            remedy=f"Give the state at least {HEAD_BITS} bits more",
        )
    format_ = Format(step, fraction, widths.sample_bits - 1)
    stages: list[Stage] = []
    for operation in operations:
        stage, format_ = _stage(operation, rate_hz, channels, format_, widths)
        stages.append(stage)
        rate_hz = rate_after(operation, rate_hz)
    shift = format_.output_shift
    return InputChain(
        widths.sample_bits, converter == "signed", channels, fraction, tuple(stages), widths.state_bits, OUTPUT_BITS,
        format_.unit * 2.0 ** (shift - format_.fraction), shift, format_.offset,
    )  # fmt: skip


def chain_agreement(
    chain: InputChain, operations: Sequence[Operation], samples: NDArray[np.int64], *, rate_hz: float, step: float
) -> ChainAgreement:
    """Run a chain and its operations in float64 on the same samples and compare.

    Parameters
    ----------
    chain : InputChain
        Of `integer_chain`, made of the other arguments.
    operations : sequence of Operation
    samples : ndarray of int64, shape (channels, samples)
    rate_hz, step : float

    Raises
    ------
    CosimError
        As `students.deploy.input_chain.InputChain.run`.
    """
    exact = process(operations, samples.astype(np.float64) * step, rate_hz).samples
    apart = chain.run(samples) - (exact - chain.output_offset) / chain.output_unit
    spread = float(np.sqrt(np.square(apart).mean()))
    return ChainAgreement(apart.size, float(np.abs(apart).max()), spread, step / chain.output_unit)


def _stage(
    operation: Operation, rate_hz: float, channels: int, before: Format, widths: Widths
) -> tuple[Stage, Format]:
    """Return the stage of an operation, and the format of what it puts out."""
    if before.measure == "logarithm" and not isinstance(operation, Decimate):
        raise DataError(
            f"{type(operation).__name__} behind a logarithm, whose zero is not the code 0", where="integer_chain",
            remedy="Let the logarithm come last, or only keep every n-th sample behind it",
        )
    bits = widths.coefficient_bits
    match operation:
        case CommonAverageReference():
            shift = bits - 2 + math.frexp(channels)[1]
            return Reference(round(2**shift / channels), shift), before
        case Band():
            return _sections(operation, rate_hz, bits), before
        case Resample():
            up, down = factors(operation, rate_hz)
            taps = resampling_taps(operation, rate_hz)
            padded = np.pad(taps, (0, -len(taps) % up)).reshape(-1, up).T
            levels, point = _fixed(padded, bits)
            return Polyphase(levels, down, point), before
        case Decimate():
            return Keep(operation.factor), before
        case SquareRoot():
            return _root(before)
        case Square():
            return _square(before, widths.state_bits)
        case Rectify():
            return Rectified(), replace(before, measure="power")
        case Logarithm():
            signals.logarithm(np.ones(1), operation.least)  # which is refused where it is not above zero
            worth = before.unit * 2.0**-before.fraction
            least = max(1, round(operation.least / worth))
            after = Format(math.log(2.0), LOGARITHM_BITS, LOGARITHM_MAGNITUDE, "logarithm", math.log(worth))
            return LogarithmByTable(least, logarithm_entries()), after


def _sections(band: Band, rate_hz: float, bits: int) -> Sections:
    if band.direction == "acausal":
        raise DataError(
            "an acausal filter runs backward in time, which no device can do", where="integer_chain",
            remedy="Choose direction 'causal'",
        )
    levels, point = _fixed(np.delete(sections(band, rate_hz), 3, axis=1), bits)
    _check_stable(levels, point, bits)
    return Sections(levels, point)


def _root(before: Format) -> tuple[Root, Format]:
    """Return a root with as many fractional bits as the chain has, of counts or of a power."""
    if before.measure == "samples" and before.unit != 1.0:
        raise DataError(
            f"the square root of samples whose step is {before.unit:g}", where="integer_chain",
            remedy="Use it on spike counts, whose step is 1, or behind a square",
        )
    kept = before.fraction if before.measure == "samples" else FRACTION_BITS
    after = Format(math.sqrt(before.unit), kept, -(-before.magnitude // 2), "power")
    return Root(2 * kept - before.fraction), after


def _square(before: Format, state_bits: int) -> tuple[Squared, Format]:
    """Return a square with the fractional bits for which a state has room; without any, in coarser units."""
    magnitude = 2 * before.magnitude
    room = state_bits - 2 - magnitude
    after = Format(before.unit**2 * 2.0 ** max(-room, 0), max(room, 0), magnitude - max(-room, 0), "power")
    return Squared(2 * before.fraction - room), after


def _check_stable(levels: NDArray[np.int64], point: int, bits: int) -> None:
    """Raise where rounding moved a pole onto the unit circle or outside: |a2| < 1 and |a1| < 1 + a2 hold inside."""
    one, a1, a2 = 1 << point, levels[:, 3], levels[:, 4]
    if bool(((np.abs(a2) >= one) | (np.abs(a1) >= one + a2)).any()):
        raise DataError(
            f"a filter that {bits}-bit coefficients make unstable: its edges are too low for its rate",
            where="integer_chain", remedy="Give coefficients more bits, or filter at a lower rate",
        )


def _fixed(numbers: NDArray[np.float64], bits: int) -> tuple[NDArray[np.int64], int]:
    """Return coefficients as integers of a width, sign included, and their fractional bits.

    Raises
    ------
    DataError
        Coefficients of which none is left.
    """
    point = bits - 1 - math.frexp(float(np.abs(numbers).max()))[1]
    levels = np.rint(numbers * 2.0**point).astype(np.int64)
    if int(np.abs(levels).max()) >= 2 ** (bits - 1):
        point -= 1
        levels = np.rint(numbers * 2.0**point).astype(np.int64)
    if point < 1 or not levels.any():
        raise DataError(
            f"coefficients up to {np.abs(numbers).max():g} in {bits} bits", where="integer_chain",
            remedy="Give coefficients more bits",
        )
    return levels, point
