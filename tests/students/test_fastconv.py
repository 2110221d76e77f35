"""The fast depthwise convolution is torch's own, forward and in both gradients."""

from __future__ import annotations

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from students.layers import (
    AveragePool1d,
    Conv1d,
    DepthwiseConv1d,
    FloatLayers,
    FusedSequential,
    resolve_padding,
)
from students.layers.fast_convolution import depthwise_conv1d, mixed_depthwise_conv1d
from students.models.build import build
from students.spec import Shape, StudentSpec

torch.set_num_threads(1)


def direct(signal: Tensor, weight: Tensor, pads: tuple[int, int]) -> Tensor:
    return functional.conv1d(functional.pad(signal, pads), weight, groups=weight.shape[0])


@settings(deadline=None, max_examples=40)
@example(batch=1, taps=1, extra=26, padding=3, seed=0)  # 33 steps come out of 27, more than the signal and one pad
@given(
    batch=st.integers(1, 19), taps=st.integers(1, 40), extra=st.integers(-39, 90),
    padding=st.sampled_from(["same", "causal", 0, 3]), seed=st.integers(0, 2**16),
)
def test_equals_the_direct_convolution_and_its_gradients(batch, taps, extra, padding, seed):
    """Property: for any shape, in float64 to rounding (relative 1e-10), outputs and both gradients."""
    generator = torch.Generator().manual_seed(seed)
    channels = 1 + seed % 5
    steps = max(taps + extra, taps if padding in {0, 3} else 1)  # padded to its length, a signal may be shorter
    signal = torch.randn(batch, channels, steps, generator=generator, dtype=torch.float64).requires_grad_()
    weight = torch.randn(channels, 1, taps, generator=generator, dtype=torch.float64).requires_grad_()
    pads = resolve_padding(padding, taps)
    expected, found = direct(signal, weight, pads), depthwise_conv1d(signal, weight, pads)
    assert found.shape == expected.shape
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
    upstream = torch.randn(expected.shape, generator=generator, dtype=torch.float64)
    for ours, theirs in zip(
        torch.autograd.grad(found, (signal, weight), upstream),
        torch.autograd.grad(expected, (signal, weight), upstream),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("batch", [3, 8, 21])
def test_mixed_form_equals_the_two_convolutions_and_their_gradients(batch):
    """In float64 to rounding; batches below, at and above the chunk length."""
    generator = torch.Generator().manual_seed(batch)
    shapes = ((batch, 5, 70), (4, 5), (4, 1, 9))
    arguments = [torch.randn(s, generator=generator, dtype=torch.float64).requires_grad_() for s in shapes]
    signal, mixing, weight = arguments
    expected = direct(functional.conv1d(signal, mixing[:, :, None]), weight, (4, 4))
    found = mixed_depthwise_conv1d(signal, mixing, weight, (4, 4))
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
    upstream = torch.randn(expected.shape, generator=generator, dtype=torch.float64)
    ours, theirs = (torch.autograd.grad(outputs, arguments, upstream) for outputs in (found, expected))
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


def test_average_pool_trains_as_it_is_deployed():
    """Incomplete ends are dropped by both forms, and gradients agree; overlapping averages too."""
    signal = torch.randn(2, 3, 11, generator=torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_()
    for pool in (AveragePool1d(4, 4), AveragePool1d(4, 2)):
        trained, deployed = pool.train()(signal), pool.eval()(signal)
        torch.testing.assert_close(trained, deployed)
        weights = torch.arange(deployed.numel(), dtype=torch.float64).view(deployed.shape)
        gradients = [torch.autograd.grad((outputs * weights).sum(), signal)[0] for outputs in (trained, deployed)]
        torch.testing.assert_close(*gradients)


def test_hand_worked_causal_filter():
    """[1, 2, 4] through taps [10, 1] (oldest first): 0*10+1, 1*10+2, 2*10+4."""
    found = depthwise_conv1d(torch.tensor([[[1.0, 2.0, 4.0]]]), torch.tensor([[[10.0, 1.0]]]), (1, 0))
    torch.testing.assert_close(found, torch.tensor([[[1.0, 12.0, 24.0]]]))


def test_float32_at_full_size_within_1e_5():
    """64 x 16 x 1000 with 64 taps, weights of a convolution's usual size (1 / sqrt(taps)): within 1e-5."""
    generator = torch.Generator().manual_seed(0)
    signal = torch.randn(64, 16, 1000, generator=generator)
    weight = torch.randn(16, 1, 64, generator=generator) / 8
    pads = resolve_padding("same", 64)
    assert (depthwise_conv1d(signal, weight, pads) - direct(signal, weight, pads)).abs().max() < 1e-5


@pytest.mark.parametrize("family", ["eegnet", "conformer"])
def test_trained_form_equals_deployed_form(family):
    """Same weights, same outputs: fast forms in training, direct convolutions in eval (norms pinned to eval)."""
    shape = Shape(task="classification", channels=6, steps=256, outputs=3, step_rate_hz=128)
    model = build(StudentSpec(family=family, options={"dropout": 0.0}, shape=shape, seed=1)).eval()
    inputs = torch.randn(5, 6, 256, generator=torch.Generator().manual_seed(2))
    deployed = model(inputs)
    convolutions = [module for module in model.modules() if isinstance(module, Conv1d)]
    assert any(isinstance(module, DepthwiseConv1d) for module in convolutions)
    for module in model.modules():
        if isinstance(module, Conv1d | AveragePool1d | FusedSequential):
            module.training = True
    trained = model(inputs)
    assert (trained - deployed).abs().max() < 1e-5
    assert not torch.equal(trained, deployed), "both ran the same code"


@pytest.mark.parametrize(("kernel", "bias"), [(1, "learned"), (3, "none")])
def test_convolutions_that_are_not_one_map_are_not_trained_as_one(kernel, bias):
    """A bias, or taps, in the first convolution: the fast form of both together would leave them out."""
    torch.manual_seed(0)
    layers = FloatLayers()
    model = FusedSequential(
        layers.quantise_input(), layers.conv1d(3, 4, kernel, padding="same", bias=bias), layers.requantise(),
        layers.depthwise_conv1d(4, 5, padding="same"),
    )
    inputs = torch.randn(2, 3, 20)
    torch.testing.assert_close(model.train()(inputs), model.eval()(inputs), rtol=1e-4, atol=1e-5)


def test_spatial_first_is_the_papers_order():
    """EEGNet's two linear convolutions commute: temporal then spatial (Conv2d) equals ours with its taps repeated."""
    generator = torch.Generator().manual_seed(3)
    signal = torch.randn(4, 7, 90, generator=generator)
    temporal = torch.randn(3, 1, 1, 16, generator=generator) / 4
    spatial = torch.randn(6, 1, 7, 1, generator=generator)
    padded = functional.pad(signal[:, None], resolve_padding("same", 16))
    paper = functional.conv2d(functional.conv2d(padded, temporal), spatial, groups=3)[:, :, 0]
    mixed = torch.matmul(spatial[:, 0, :, 0], signal)
    ours = depthwise_conv1d(mixed, temporal[:, 0].repeat_interleave(2, dim=0), resolve_padding("same", 16))
    torch.testing.assert_close(ours, paper, rtol=0, atol=1e-5)
