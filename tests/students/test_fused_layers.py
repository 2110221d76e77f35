"""Modules that train as one operation give what they give one by one; dropout from random bits."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from students.kernels import kernels_taken
from students.layers import Dropout, FloatLayers, FusedSequential
from students.layers.fast_convolution import pointwise_conv1d
from students.models.build import build
from students.spec import Shape, StudentSpec
from students.training.predict import forward_with

SHAPE = Shape(task="classification", channels=5, steps=128, outputs=3, step_rate_hz=64)
FUSED = "norm, ReLU and pool"


def network(family: str) -> FusedSequential:
    model = build(StudentSpec(family=family, options={"dropout": 0.0}, shape=SHAPE, seed=3)).train()
    assert isinstance(model, FusedSequential)
    return model


def signals() -> Tensor:
    return torch.randn(9, 5, 128, generator=torch.Generator().manual_seed(4))


@pytest.mark.parametrize("family", ["eegnet", "shallow"])
def test_fused_neighbours_give_what_the_modules_give_one_by_one(family: str) -> None:
    fused = network(family)
    single = copy.deepcopy(fused)
    with kernels_taken() as taken:
        outputs = fused(signals())
    assert FUSED in taken.paths
    with kernels_taken() as taken:
        expected = nn.Sequential.forward(single, signals())
    assert FUSED not in taken.paths
    torch.testing.assert_close(outputs, expected, rtol=1e-4, atol=1e-5)
    for model, found in ((fused, outputs), (single, expected)):
        found.square().sum().backward()
        assert all(parameter.grad is not None for parameter in model.parameters())
    for (name, ours), theirs in zip(fused.named_parameters(), single.parameters(), strict=True):
        assert ours.grad is not None
        assert theirs.grad is not None
        bound = 1e-4 * max(1.0, float(theirs.grad.abs().max()))
        assert float((ours.grad - theirs.grad).abs().max()) < bound, name
    for name, buffer in fused.named_buffers():
        torch.testing.assert_close(buffer, single.get_buffer(name), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["1", "3", "4", "5", "6"])
def test_a_module_that_is_listened_to_runs_on_its_own(name: str) -> None:
    """EEGNet: 1 mixes channels, 3 filters each, 4 is a norm, 5 its ReLU, 6 the pool."""
    model = network("eegnet")
    expected = copy.deepcopy(model)(signals())
    outputs, tensors = forward_with(model, signals(), (name,))
    assert tensors[name].shape[:2] == (9, 16)
    torch.testing.assert_close(outputs, expected, rtol=1e-4, atol=1e-5)


def test_other_neighbours_and_norms_in_evaluation_run_one_by_one() -> None:
    layers = FloatLayers()
    for model in (
        FusedSequential(layers.batchnorm(5), nn.Tanh(), layers.average_pool(4)),
        FusedSequential(layers.batchnorm(5).eval(), layers.relu(), layers.average_pool(4)),
        FusedSequential(nn.BatchNorm1d(5, affine=False), layers.relu(), layers.average_pool(4)),
        FusedSequential(layers.batchnorm(5), layers.relu()),
    ):
        with kernels_taken() as taken:
            found = model(signals())
        assert FUSED not in taken.paths
        assert torch.equal(found, nn.Sequential.forward(model, signals()))


def test_a_pointwise_product_is_torch_s() -> None:
    generator = torch.Generator().manual_seed(1)
    signal, weight = (torch.randn(s, generator=generator, dtype=torch.float64) for s in ((3, 4, 7), (5, 4)))
    arguments = (signal.requires_grad_(), weight.requires_grad_())
    torch.testing.assert_close(pointwise_conv1d(*arguments), weight @ signal)
    assert torch.autograd.gradcheck(pointwise_conv1d, arguments)


@pytest.mark.parametrize("probability", [0.25, 0.5, 0.1])
def test_dropout_keeps_its_share_and_the_mean(probability: float) -> None:
    """200 000 values: the share kept lies within five standard deviations, sqrt(p (1 - p) / 200 000)."""
    layer, signal = Dropout(probability).train(), torch.ones(200, 1000, requires_grad=True)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        outputs = layer(signal)
        torch.manual_seed(0)
        assert torch.equal(layer(signal), outputs)
        assert not torch.equal(layer(signal), outputs)
    kept = outputs != 0
    share = 1 - round(probability * 65536) / 65536
    assert abs(float(kept.double().mean()) - share) < 5 * (probability * (1 - probability) / 200_000) ** 0.5
    torch.testing.assert_close(outputs[kept], torch.full_like(outputs[kept], 1 / share))
    (gradient,) = torch.autograd.grad(outputs.sum(), signal)
    assert torch.equal(gradient, outputs)
    assert torch.equal(layer.eval()(signal), signal)


def test_dropout_of_few_values_of_none_and_of_all() -> None:
    for count in (0, 1, 3, 5):
        assert Dropout(0.5).train()(torch.ones(count)).shape == (count,)
    assert torch.equal(Dropout(0.0).train()(torch.ones(7)), torch.ones(7))
    assert torch.equal(Dropout(1.0).train()(torch.ones(7)), torch.zeros(7))
