"""A batch norm and its neurons as one operation: against torch's, against float64, and where they run one by one."""

from __future__ import annotations

import copy

import pytest
import torch
from test_kernel_neurons import RESETS
from torch import Tensor, nn

from students.kernels import kernels_taken, using_kernels
from students.kernels.neurons.fire import Reset, fire
from students.kernels.neurons.norm_fire import norm_fire
from students.layers import BatchNorm1d, Dropout, TimeFirst
from students.layers.layout import channels_last, time_first
from students.neurons import LIF, ZeroInitialState

SHAPES = [(3, 5, 7), (2, 3, 1), (1, 4, 6), (32, 40, 50), (8, 1, 20)]


def numbers(shape: tuple[int, int, int], dtype: torch.dtype = torch.float32) -> Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    return time_first((torch.randn(shape, generator=generator) * 1.5 + 0.7).to(dtype))


def norm_of(channels: int, dtype: torch.dtype = torch.float32) -> BatchNorm1d:
    generator, norm = torch.Generator().manual_seed(9), BatchNorm1d(channels)
    with torch.no_grad():
        norm.weight.copy_(torch.rand(channels, generator=generator) + 0.5)
        norm.bias.copy_(torch.randn(channels, generator=generator) * 0.3)
    return norm.to(dtype)


def fused(path: str, signal: Tensor, reset: Reset, per_channel: bool = False) -> list[Tensor]:
    """Return spikes, all gradients (signal, weight, bias, beta, threshold) and the running statistics."""
    norm, size = norm_of(signal.shape[1], signal.dtype), (signal.shape[1],) if per_channel else ()
    constants = [torch.full(size, one).to(signal).requires_grad_() for one in (0.8, 0.5)]
    leaves = [signal.detach().requires_grad_(), *constants]
    with using_kernels(path):
        spikes = norm_fire(leaves[0], norm, *leaves[1:], alpha=3.0, reset=reset)
        assert spikes.shape == signal.shape
        inputs = [leaves[0], norm.weight, norm.bias, *constants]
        grads = torch.autograd.grad(spikes, inputs, numbers(spikes.shape).to(signal))
    return [spikes, *grads, norm.running_mean, norm.running_var, norm.num_batches_tracked]


@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_both_forms_fire_alike_and_differ_by_rounding_in_gradients(shape, per_channel: bool, reset: Reset) -> None:
    found, expected = (fused(path, numbers(shape), reset, per_channel) for path in ("numba", "torch"))
    assert torch.equal(found[0], expected[0])
    for mine, theirs in zip(found[1:4], expected[1:4], strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=2e-6 * float(expected[3].abs().max() + 1))
    for mine, theirs in zip(found[4:], expected[4:], strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-4)
    again = fused("numba", numbers(shape), reset, per_channel)
    assert all(map(torch.equal, found, again))


@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize("shape", SHAPES)
def test_the_reference_is_torchs_norm_before_the_neurons_in_float64(shape: tuple[int, int, int], reset: Reset):
    signal = numbers(shape, torch.float64)
    found, norm = fused("torch", signal, reset), norm_of(shape[1], torch.float64)
    constants = [torch.tensor(one).to(signal).requires_grad_() for one in (0.8, 0.5)]
    leaves = [signal.detach().requires_grad_(), *constants]
    current = nn.BatchNorm1d.forward(norm, leaves[0]).permute(2, 0, 1)
    spikes, _ = fire(current, torch.zeros_like(current[0]), *leaves[1:], alpha=3.0, reset=reset)
    spikes = spikes.permute(1, 2, 0)
    inputs = [leaves[0], norm.weight, norm.bias, *leaves[1:]]
    grads = torch.autograd.grad(spikes, inputs, numbers(shape).double())
    for mine, theirs in zip(found[:-1], [spikes, *grads, norm.running_mean, norm.running_var], strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("path", ["numba", "torch"])
def test_a_constant_channel_fires_by_its_bias(path: str) -> None:
    norm = norm_of(2)
    norm.bias.data = torch.tensor([0.3, 0.7])
    given = time_first(torch.full((4, 2, 3), 1000.1)), norm, torch.tensor(0.0), torch.tensor(0.5)
    with using_kernels(path):
        spikes = norm_fire(*given, alpha=2.0, reset="none")
    assert spikes.mean((0, 2)).tolist() == [0.0, 1.0]


def network(probability: float = 0.0) -> TimeFirst:
    torch.manual_seed(4)
    return TimeFirst(norm_of(6), Dropout(probability), ZeroInitialState(LIF(6, 0.8, 0.5, learnable="both")))


def ran(net: nn.Module, signal: Tensor) -> tuple[Tensor, set[str]]:
    with kernels_taken() as taken:
        spikes = net(signal)
    return spikes, set(taken.paths)


def test_a_network_fuses_them_where_nobody_listens_and_says_so() -> None:
    signal = torch.randn(8, 6, 30, generator=torch.Generator().manual_seed(1))
    net, listened = network(), network()
    apart = copy.deepcopy(net)
    spikes, kernels = ran(net, signal)
    assert kernels >= {"norm_fire"}
    assert "fire" not in kernels
    assert channels_last(spikes) == (2, 0, 1)
    seen: list[Tensor] = []
    listened[2].neurons.register_forward_hook(lambda _module, _inputs, outputs: seen.append(outputs[0]))
    heard, kernels = ran(listened, signal)
    assert "norm_fire" not in kernels
    assert torch.equal(heard, spikes)
    assert torch.equal(seen[0], spikes)
    torch.testing.assert_close(net[0].running_var, listened[0].running_var)
    assert "norm_fire" not in ran(network(0.3), signal)[1]
    apart.eval()
    assert "norm_fire" not in ran(apart, signal)[1]
    apart.train()[0].eval()
    assert "norm_fire" not in ran(apart, signal)[1]


def test_one_value_a_channel_is_refused_as_torch_does() -> None:
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        network()(torch.zeros(1, 6, 1))


def test_a_gradient_of_a_gradient_is_refused() -> None:
    net, signal = network(), torch.randn(4, 6, 5, requires_grad=True)
    (grad,) = torch.autograd.grad(net(signal).square().sum(), signal, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        grad.sum().backward()
