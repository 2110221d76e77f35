"""Multiplication by a real number in integers: multiplier, offset and shift of stated widths, and one rounding rule.

``q = round((x * multiplier + offset) / 2^shift)``, ties to even, as Brevitas rounds. A ratio that no binary fraction
equals leaves an error in the last bits of the sum, and a number that lies half-way (a third of 9 halves) would fall to
either side by it; so the last `guard` bits are rounded away first. Their number follows from the error bound, and is 0
where multiplier and offset are exact, as they are for scales that are powers of two: there only a shift is left.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from energy_models.errors import StudentError

SUM_BITS = 63
"""Width that holds input times multiplier plus offset and rounding, without the sign [bits]."""

MULTIPLIER_BITS, SHIFT_BITS = 26, 6
"""Widths of a multiplier, sign included, and of a shift, where nothing else is asked for: together a word of 32 bits,
which is what `students.counting` charges a requantisation's constants with [bits]."""

MOST_STEPS = 8
"""By which a multiplier is moved, so that codes that are nearly half-way fall as a float lets them fall."""

LEAST_MULTIPLIER_BITS, MOST_MULTIPLIER_BITS = 8, 32


@dataclass(frozen=True, slots=True)
class FixedPoint:
    """Constants of one requantisation, each broadcastable to the signal's shape.

    Parameters
    ----------
    multiplier, offset, shift, guard : ndarray of int64
    """

    multiplier: NDArray[np.int64]
    offset: NDArray[np.int64]
    shift: NDArray[np.int64]
    guard: NDArray[np.int64]

    @property
    def shifts_only(self) -> bool:
        """True where nothing is multiplied: every multiplier is 1 and every offset 0."""
        return bool((self.multiplier == 1).all() and (self.offset == 0).all())

    def apply(self, integers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the rounded products, before limits; shape of `integers`."""
        total = integers * self.multiplier + self.offset
        total = np.where(self.guard > 0, (total + _half(self.guard)) >> self.guard, total)
        return shifted(total, self.shift - self.guard)


def shifted(integers: NDArray[np.int64], bits: NDArray[np.int64] | int) -> NDArray[np.int64]:
    """Return ``integers / 2^bits`` rounded, ties to even; as they are for no bits."""
    count = np.asarray(bits, dtype=np.int64)
    even = np.where(count > 0, (integers >> count) & 1, 0)
    return np.where(count > 0, (integers + _half(count) - 1 + even) >> count, integers)


def _half(bits: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return half of ``2^bits``; 1 for no bits, where it is not used."""
    return np.left_shift(np.int64(1), np.maximum(bits - 1, 0))


def fixed_point(
    ratio: NDArray[np.float64], offset: NDArray[np.float64], *, largest: int, limit: int, bits: int, where: str
) -> FixedPoint:
    """Return the constants of ``ratio * x + offset``.

    Parameters
    ----------
    ratio, offset : ndarray of float64
        Broadcastable to one another.
    largest : int
        Magnitude that no input passes.
    limit : int
        Magnitude at which results are clipped; beyond it precision does not matter.
    bits : int
        Width of a multiplier, sign included.
    where : str
        The node, for the error.

    Raises
    ------
    StudentError
        Ratios that no multiplier of this width and no shift holds.
    """
    if not LEAST_MULTIPLIER_BITS <= bits <= MOST_MULTIPLIER_BITS:
        raise StudentError(
            f"multipliers of {bits} bits", where=where,
            remedy=f"Choose {LEAST_MULTIPLIER_BITS} to {MOST_MULTIPLIER_BITS} bits",
        )
    ratios, offsets = np.broadcast_arrays(ratio, offset)
    if not bool(np.isfinite(ratios).all() and np.isfinite(offsets).all()):
        raise StudentError(
            "a scale, or a batch norm's statistics, are not finite", where=where, remedy="Train this student again"
        )
    pairs = list(zip(ratios.ravel().tolist(), offsets.ravel().tolist(), strict=True))
    found = {pair: _constants(*pair, largest=largest, limit=limit, bits=bits, where=where) for pair in set(pairs)}
    columns = np.array([found[pair] for pair in pairs], dtype=np.int64).reshape(*ratios.shape, 4)
    return FixedPoint(*(columns[..., place].copy() for place in range(4)))


def matched(
    constants: FixedPoint, codes: NDArray[np.int64], wanted: NDArray[np.int64], limits: tuple[int, int]
) -> FixedPoint:
    """Return constants that give every wanted result of codes, where a multiplier a few steps away does; else the same.

    Scales whose ratio is nearly a fraction put codes half-way, where the last bit of a float decides.

    Parameters
    ----------
    constants : FixedPoint
        One for all.
    codes, wanted : ndarray of int64, shape (codes,)
    limits : (int, int)
        Ends at which results are clipped.
    """
    if np.array_equal(np.clip(constants.apply(codes), *limits), wanted):
        return constants
    none = np.zeros_like(constants.guard)
    width = int(np.abs(constants.multiplier).max()).bit_length()
    far = [2**bit for bit in range(int(constants.guard.max()) + 1)] if constants.offset.any() else []
    tried = [(step, 0) for step in sorted(range(-MOST_STEPS, MOST_STEPS + 1), key=abs)]
    tried += [(0, sign * one) for one in far for sign in (1, -1)]
    for step, more in tried:
        if int(np.abs(constants.multiplier + step).max()).bit_length() > width:
            continue
        found = FixedPoint(constants.multiplier + step, constants.offset + more, constants.shift, none)
        if np.array_equal(np.clip(found.apply(codes), *limits), wanted):
            return found
    return constants


def rows_matched(
    constants: FixedPoint, codes: NDArray[np.int64], wanted: NDArray[np.int64], limits: tuple[int, int]
) -> FixedPoint:
    """Return constants as `matched`, row by row.

    Parameters
    ----------
    constants : FixedPoint, shape (rows, 1), or one for all
    codes : ndarray of int64, shape (codes,)
    wanted : ndarray of int64, shape (rows, codes)
    limits : (int, int)
    """
    given = (constants.multiplier, constants.offset, constants.shift, constants.guard)
    columns = [np.broadcast_to(one.reshape(-1), (len(wanted),)) for one in given]
    found = [
        matched(FixedPoint(*(one[row] for one in columns)), codes, wanted[row], limits) for row in range(len(wanted))
    ]
    rows = ([one.multiplier for one in found], [one.offset for one in found], [one.shift for one in found],
            [one.guard for one in found])  # fmt: skip
    return FixedPoint(*(np.array(one, dtype=np.int64).reshape(-1, 1) for one in rows))


def _constants(
    ratio: float, offset: float, *, largest: int, limit: int, bits: int, where: str
) -> tuple[int, int, int, int]:
    """Return multiplier, offset, shift and guard of one ratio and offset."""
    room = SUM_BITS - 2 - math.ceil(abs(ratio) * largest + abs(offset) + 1).bit_length()
    exponent = math.frexp(ratio)[1] if ratio else 0
    shift = min(bits - 1 - exponent, room)
    if shift > 0 and abs(round(math.ldexp(ratio, shift))) >= 2 ** (bits - 1):
        shift -= 1
    if shift < 0 or abs(round(math.ldexp(ratio, shift))) >= 2 ** (bits - 1):
        raise StudentError(
            f"a factor of {ratio:.3g} and an offset of {offset:.3g} fit no multiplier of {bits} bits", where=where,
            remedy="Train this student again: a scale this small comes from a signal that is zero",
        )
    multiplier, added = round(math.ldexp(ratio, shift)), round(math.ldexp(offset, shift))
    if multiplier == math.ldexp(ratio, shift) and added == math.ldexp(offset, shift):
        while shift and not (multiplier | added) & 1:
            multiplier, added, shift = multiplier >> 1, added >> 1, shift - 1
        return multiplier, added, shift, 0
    reach = min(largest, (limit + 1 + abs(offset)) / abs(ratio)) if ratio else 0
    precise = math.floor(shift - math.log2((reach + 1) / 2)) - 1  # fractional bits that the error leaves
    return multiplier, added, shift, max(0, shift - max(precise, 1))
