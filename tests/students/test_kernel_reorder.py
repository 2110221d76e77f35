"""The copy into the order steps, batch, channels, and its gradient."""

from __future__ import annotations

import pytest
import torch

from students.kernels import using_kernels
from students.kernels.reorder import steps_first


@pytest.mark.parametrize("path", ["numba", "torch"])
@pytest.mark.parametrize("shape", [(3, 4, 5), (17, 33, 40), (1, 1, 1), (0, 2, 3), (2, 3, 0)])
def test_rows_and_gradient_are_the_transposed_ones(path: str, shape: tuple[int, int, int]) -> None:
    signal = torch.randn(shape, generator=torch.Generator().manual_seed(0)).requires_grad_()
    arriving = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    with using_kernels(path):
        rows = steps_first(signal)
        (gradient,) = torch.autograd.grad(rows, signal, arriving.permute(2, 0, 1))
    assert rows.is_contiguous()
    assert torch.equal(rows, signal.permute(2, 0, 1))
    assert torch.equal(gradient, arriving)


def test_other_strides_are_copied_by_torch_and_the_right_ones_not_at_all() -> None:
    signal = torch.randn(4, 6, 5)
    assert torch.equal(steps_first(signal[:, ::2]), signal[:, ::2].permute(2, 0, 1))
    rows = steps_first(signal)
    assert steps_first(rows.permute(1, 2, 0)).data_ptr() == rows.data_ptr()
