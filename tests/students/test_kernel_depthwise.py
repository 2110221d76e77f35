"""Depthwise convolutions by compiled loops: values and gradients within rounding of spectra and of torch's own."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from students.kernels import kernels_taken, using_kernels
from students.kernels.convolution.depthwise import MOST_TAPS, direct_depthwise, runs_directly
from students.layers.fast_convolution import depthwise_conv1d, mixed_depthwise_conv1d

torch.set_num_threads(1)

# batch, channels, steps, taps, zeros before and after: one step, one tap, odd lengths, pads wider than the taps.
CASES = [(1, 1, 1, 1, 0, 0), (3, 2, 33, 7, 3, 3), (2, 4, 50, 16, 7, 8), (2, 3, 40, 64, 31, 32), (1, 2, 9, 3, 8, 0),
         (2, 2, 20, 17, 0, 0), (2, 1, 5, 4, 0, 11), (4, 16, 250, 16, 15, 0), (1, 2, 5, 12, 11, 5)]  # fmt: skip


def arguments(batch: int, channels: int, steps: int, taps: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    signal = torch.randn(batch, channels, steps, generator=generator)
    return signal.requires_grad_(), torch.randn(channels, 1, taps, generator=generator).requires_grad_()


def results(run, signal: Tensor, weight: Tensor, pads: tuple[int, int]) -> list[Tensor]:
    """Return outputs and both gradients."""
    outputs = run(signal, weight, pads)
    upstream = torch.randn(outputs.shape, generator=torch.Generator().manual_seed(1)).to(outputs)
    return [outputs, *torch.autograd.grad(outputs, (signal, weight), upstream)]


def by_torch(signal: Tensor, weight: Tensor, pads: tuple[int, int]) -> Tensor:
    return functional.conv1d(functional.pad(signal, pads), weight, groups=len(weight))


def close(found: list[Tensor], expected: list[Tensor]) -> None:
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        assert (one - other).abs().max() <= 2e-6 * max(1.0, other.abs().max().item())


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_loops_are_torchs_convolution_in_float64_and_the_spectra(case: tuple[int, ...]) -> None:
    *shape, before, after = case
    signal, weight = arguments(*shape)
    exact = [one.detach().double().requires_grad_() for one in (signal, weight)]
    expected = results(by_torch, *exact, (before, after))
    with kernels_taken() as taken:
        found = results(depthwise_conv1d, signal, weight, (before, after))
    assert taken.paths == {"depthwise": {"numba"}}
    with using_kernels("torch"):
        spectra = results(depthwise_conv1d, signal, weight, (before, after))
    for one in (found, spectra):
        close([value.double() for value in one], expected)
    again = results(depthwise_conv1d, signal, weight, (before, after))
    assert all(torch.equal(one, other) for one, other in zip(found, again, strict=True))


def test_hand_worked_gradients() -> None:
    """y = [10 x0 + x1, 10 x1 + x2] with x = [1, 2, 4]; of y [1, 3]: of x [10, 31, 3], of taps [1 + 6, 2 + 12]."""
    signal = torch.tensor([[[1.0, 2.0, 4.0]]], requires_grad=True)
    weight = torch.tensor([[[10.0, 1.0]]], requires_grad=True)
    outputs = direct_depthwise(signal, weight, (0, 0))
    assert outputs.tolist() == [[[12.0, 24.0]]]
    of_signal, of_weight = torch.autograd.grad(outputs, (signal, weight), torch.tensor([[[1.0, 3.0]]]))
    assert of_signal.tolist() == [[[10.0, 31.0, 3.0]]]
    assert of_weight.tolist() == [[[7.0, 14.0]]]


def test_a_mixture_of_channels_is_convolved_as_the_two_layers_are() -> None:
    generator = torch.Generator().manual_seed(3)
    signal, mixing = torch.randn(3, 5, 60, generator=generator), torch.randn(4, 5, generator=generator)
    weight = torch.randn(4, 1, 9, generator=generator)
    mixing.requires_grad_()
    weight.requires_grad_()
    found, expected = mixed_depthwise_conv1d(signal, mixing, weight, (4, 4)), by_torch(mixing @ signal, weight, (4, 4))
    close([found], [expected])
    upstream = torch.randn(found.shape, generator=generator)
    ours, theirs = (torch.autograd.grad(one, (mixing, weight), upstream) for one in (found, expected))
    close(list(ours), list(theirs))


def test_orders_of_memory_and_gradients_that_nobody_wants() -> None:
    signal, weight = arguments(3, 4, 30, 5)
    expected = results(depthwise_conv1d, signal, weight, (2, 2))
    turned = signal.detach().permute(2, 0, 1).contiguous().permute(1, 2, 0).requires_grad_()
    close(results(depthwise_conv1d, turned, weight, (2, 2)), expected)
    with torch.no_grad():
        assert torch.equal(depthwise_conv1d(signal, weight, (2, 2)), expected[0])
    for fixed, free in ((0, 1), (1, 0)):
        pair = [signal.detach().clone(), weight.detach().clone()]
        pair[free].requires_grad_()
        depthwise_conv1d(pair[0], pair[1], (2, 2)).sum().backward()
        assert pair[free].grad is not None
        assert pair[fixed].grad is None


def test_a_second_derivative_is_refused() -> None:
    signal, weight = arguments(1, 1, 8, 3)
    (first,) = torch.autograd.grad(direct_depthwise(signal, weight, (1, 1)).square().sum(), weight, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        first.sum().backward()


def test_many_taps_and_what_numba_cannot_run_take_spectra() -> None:
    signal, weight = arguments(2, 3, 200, MOST_TAPS + 1)
    assert not runs_directly(signal, weight, (0, 0))
    assert not runs_directly(signal.double(), weight[..., :5].double(), (0, 0))
    assert not runs_directly(signal[:0], weight[..., :5], (0, 0))
    assert runs_directly(signal, weight[..., :MOST_TAPS], (0, 0))
