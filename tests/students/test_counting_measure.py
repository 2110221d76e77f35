"""Exact sums: signals with and without plain numbers (-1, 0, 1), and counts too large for int64 squares."""

from __future__ import annotations

import pytest
import torch

from students.counting.axes.batch_axis import DECODE, plain
from students.counting.records.measure import masks_of, nonzero_sums
from students.counting.records.work import count_of


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("numbers", "present", "graded"),
    [
        ([0.3, -2.5, 1e-30], 3, 3),  # no plain number, no power of two
        ([0.5, 2.0, -4.0], 3, 3),  # powers of two share their fraction bits with 0 and 1
        ([0.0, -0.0, 0.7], 1, 1),
        ([1.0, -1.0, 0.7], 3, 1),
        ([1.0, 0.0, 2.0, 3.0], 3, 2),
        ([1.0000001, 0.99999994], 2, 2),  # neighbours of 1 in float32
    ],
)
def test_present_and_graded_elements(dtype: torch.dtype, numbers: list[float], present: int, graded: int) -> None:
    signal = torch.tensor([numbers], dtype=dtype)
    found = masks_of(signal, None)
    here = len(numbers) if found.present is None else int(found.present.sum())
    assert here == present
    assert (here if found.graded is None else int(found.graded.sum())) == graded
    axes = (((1, DECODE),), plain(len(numbers)))
    assert int(nonzero_sums(signal, None, axes, 1).sum()) == present


def test_counts_whose_squares_leave_int64_stay_exact() -> None:
    large = 2**40 + 1
    found = count_of(torch.tensor([large, large + 2]), 0, 1, 2)
    assert (found.total, found.decodes) == (2 * large + 2, 2)
    assert found.squares == large**2 + (large + 2) ** 2
    small = count_of(torch.tensor([3, 0, -5]), 0, 1, 3)
    assert (small.total, small.squares) == (-2, 34)
