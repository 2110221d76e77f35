"""Following the decodes through shapes: hand-worked and property."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from students.counting.axes.batch_axis import (
    BatchAxisError,
    Steps,
    broadcast,
    drop,
    per_decode,
    plain,
    plain_shape,
    reshape,
)

BATCH = ((4, "decode"),)


def test_merging_the_batch_with_heads_and_back() -> None:
    axes = (plain(5), BATCH, plain(6))  # (tokens, batch, width)
    merged = reshape(axes, (5, 4 * 2, 3))
    assert merged == (plain(5), ((4, "decode"), (2, "")), plain(3))
    assert reshape(merged, (5, 4, 6)) == axes
    assert plain_shape(merged) == (5, 2, 3)


def test_axes_of_one_decode_may_be_cut_anywhere() -> None:
    assert reshape((BATCH, plain(3), plain(4)), (4, 4, 3)) == (BATCH, plain(4), plain(3))


def test_cutting_through_the_batch_is_noticed() -> None:
    with pytest.raises(BatchAxisError):
        reshape((BATCH, plain(3)), (2, 6))
    with pytest.raises(BatchAxisError):
        drop((BATCH, plain(3)), [0])
    with pytest.raises(BatchAxisError):
        broadcast([(BATCH, plain(4)), (plain(4), BATCH)], (4, 4))


@given(sizes=st.lists(st.integers(1, 4), min_size=1, max_size=3), place=st.integers(0, 3))
def test_sums_per_decode_survive_any_reshape(sizes: list[int], place: int) -> None:
    place = min(place, len(sizes))
    shape = [*sizes[:place], 4, *sizes[place:]]
    axes = tuple(BATCH if axis == place else plain(size) for axis, size in enumerate(shape))
    values = torch.arange(torch.Size(shape).numel()).reshape(shape)
    true = values.movedim(place, 0).flatten(1).sum(1)
    flat = values.flatten()
    assert torch.equal(per_decode(values, axes, 4), true)
    assert torch.equal(per_decode(flat, reshape(axes, flat.shape), 4), true)


def test_steps_come_after_decodes() -> None:
    axes = (((3, Steps(3)),), BATCH, plain(2))
    values = torch.arange(24).reshape(3, 4, 2)
    assert torch.equal(per_decode(values, axes, 4), values.sum(2).t())
