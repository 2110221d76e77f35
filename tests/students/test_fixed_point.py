"""Multipliers, shifts and the rounding of deployed graphs, against exact fractions."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy_models.errors import StudentError
from students.deploy.fixed_point import FixedPoint, fixed_point


def constants(
    ratio: float, offset: float = 0.0, *, largest: int = 2**20, limit: int = 255, bits: int = 32
) -> FixedPoint:
    return fixed_point(np.array(ratio), np.array(offset), largest=largest, limit=limit, bits=bits, where="node")


def applied(found: FixedPoint, number: int) -> int:
    return int(found.apply(np.array([number], dtype=np.int64))[0])


@settings(max_examples=200, deadline=None)
@given(
    ratio=st.floats(1e-6, 4.0), offset=st.floats(-300, 300), number=st.integers(-(2**19), 2**19),
    bits=st.sampled_from([16, 24, 32]), sign=st.sampled_from([1, -1]),
)  # fmt: skip
def test_a_result_is_the_rounded_product(ratio: float, offset: float, number: int, bits: int, sign: int) -> None:
    """Inside the grid the error is below a step of the last bits that are kept; the rounding is that of Fraction."""
    exact = Fraction(sign * ratio) * number + Fraction(offset)
    if abs(exact) > 255:
        return
    found = applied(constants(sign * ratio, offset, bits=bits), number)
    near_tie = abs(abs(exact - math.floor(exact)) - Fraction(1, 2)) < Fraction(4 * 2 * (256 + 300), 2 ** (bits - 1))
    assert abs(found - exact) <= 1
    assert near_tie or found == round(exact)


@settings(max_examples=100, deadline=None)
@given(exponent=st.integers(-24, 3), number=st.integers(-(2**19), 2**19))
def test_a_power_of_two_is_a_shift_with_ties_to_even(exponent: int, number: int) -> None:
    found = constants(2.0**exponent, limit=2**24)
    assert found.shifts_only or exponent > 0
    assert not found.guard.any()
    assert applied(found, number) == round(Fraction(2) ** exponent * number)


@pytest.mark.parametrize("taps", [3, 5, 6, 7, 12, 50, 127])
def test_half_way_numbers_of_averages_go_to_even_although_their_divisor_is_no_binary_fraction(taps: int) -> None:
    """A mean of `taps` codes put on the same grid: sums of k * taps + taps / 2 lie half-way."""
    found = constants(1 / taps, largest=255 * taps)
    for total in range(255 * taps + 1):
        assert applied(found, total) == round(Fraction(total, taps)), total


def test_hand_worked() -> None:
    """0.75 x + 1.5 is (3 x + 6) / 4: x = 1 gives 2.25 -> 2, x = 0 gives 1.5 -> 2, x = -4 gives -1.5 -> -2."""
    found = constants(0.75, 1.5)
    assert [int(one) for one in (found.multiplier, found.offset, found.shift, found.guard)] == [3, 6, 2, 0]
    assert [applied(found, number) for number in (1, 0, -4)] == [2, 2, -2]


@pytest.mark.parametrize(("ratio", "bits"), [(1e12, 32), (2.0**40, 16), (float("nan"), 32), (0.5, 40), (0.5, 2)])
def test_what_no_multiplier_holds_is_refused(ratio: float, bits: int) -> None:
    with pytest.raises(StudentError, match="node"):
        constants(ratio, bits=bits)


@settings(max_examples=100, deadline=None)
@given(ratio=st.floats(1e-9, 1e6), offset=st.floats(-1e9, 1e9), largest=st.integers(1, 2**40))
def test_nothing_overflows(ratio: float, offset: float, largest: int) -> None:
    try:
        found = constants(ratio, offset, largest=largest)
    except StudentError:
        return
    most = largest * abs(int(found.multiplier)) + abs(int(found.offset)) + 2 ** int(found.shift)
    assert most < 2**63
    assert abs(int(found.multiplier)) < 2**31
