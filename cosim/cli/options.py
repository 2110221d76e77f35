"""Options that several commands take alike."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated

import typer


def hertz(option: str) -> Callable[[str], float]:
    """Return what reads a rate: a number in hertz, or a text with a unit such as ``4Hz``."""

    def read(text: str) -> float:
        try:
            return float(text)
        except ValueError:
            from energy_models.quantities import amount_si

            return amount_si(text, "frequency", where=option)

    return read


DecodeRate = Annotated[
    float, typer.Option("--decode-rate", "--rate", parser=hertz("--decode-rate"), metavar="HZ",
                        help="Decisions per second.")
]  # fmt: skip
SampleRate = Annotated[
    float | None, typer.Option("--sample-rate", "--rate", parser=hertz("--sample-rate"), metavar="HZ",
                               help="Rate of input samples or bins in hertz.")
]  # fmt: skip
SweptDecodeRate = Annotated[
    float | None, typer.Option("--decode-rate", "--rate", parser=hertz("--decode-rate"), metavar="HZ",
                               help="Decisions per second; needed unless swept.")
]  # fmt: skip
InputShape = Annotated[
    str | None, typer.Option(metavar="CxT", help="Shape of one example, such as 22x1000; default: the file's own.")
]
MOST_BITS = 32
"""Widest integer that can be assumed [bits], as `energy_models.workload.bit_widths` has it, which is imported late."""
SIZE_DIGITS = 9
MOST_DRAWS = 262_144
"""Most draws of uncertain constants, as `energy_models.analysis` has it."""
Draws = Annotated[int, typer.Option(help="Draws of the uncertain constants, a power of two up to 262144.")]


def rate_of(rate_hz: float | None) -> float | None:
    """Return the rate of input samples [Hz], None where it is left to the network.

    Raises
    ------
    StudentError
        No finite rate above zero.
    """
    if rate_hz is not None and not (math.isfinite(rate_hz) and rate_hz > 0):
        from energy_models.errors import StudentError

        raise StudentError(f"{rate_hz:g} Hz", where="--sample-rate", remedy="Give a finite rate above 0 Hz")
    return rate_hz


def decode_rate_of(rate_hz: float) -> float:
    """Return how often a decision is asked for [Hz].

    Raises
    ------
    PriceError
        No finite rate above zero.
    """
    if not (math.isfinite(rate_hz) and rate_hz > 0):
        from energy_models.errors import PriceError

        raise PriceError(f"{rate_hz:g} Hz", where="--decode-rate", remedy="Give a finite rate above 0 Hz")
    return rate_hz


def draws_of(draws: int) -> int:
    """Return a number of draws.

    Raises
    ------
    PriceError
        No power of two, or too many.
    """
    if not 2 <= draws <= MOST_DRAWS or draws & (draws - 1):
        from energy_models.errors import PriceError

        raise PriceError(f"{draws:,} draws", where="--draws", remedy=f"Give a power of two from 2 to {MOST_DRAWS:,}")
    return draws


def shape_of(text: str | None) -> tuple[int, ...] | None:
    """Return the sizes of one example, None where they are left to the network.

    Raises
    ------
    StudentError
        No sizes above zero.
    """
    if text is None:
        return None
    parts = text.lower().replace(",", "x").split("x")
    if not all(_is_size(part.strip()) for part in parts):
        from energy_models.errors import StudentError

        raise StudentError(f"{text[:40]!r} is no shape", where="--input-shape", remedy="Give sizes such as 22x1000")
    return tuple(int(part) for part in parts)


def _is_size(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= SIZE_DIGITS and int(text) > 0
