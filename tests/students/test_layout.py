"""Signals in other orders of memory: the same values and gradients, and no copies from layer to layer."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from students.families import load_family
from students.kernels import using_kernels
from students.layers import BatchNorm1d, FloatLayers, TimeFirst
from students.layers.layout import channels_last, in_axis_order, time_first
from students.neurons import LIF, ZeroInitialState
from students.spec import Shape

ORDERS: dict[str, Callable[[Tensor], Tensor]] = {
    "batch, channels, steps": lambda signal: signal.contiguous(),
    "steps, batch, channels": time_first,
    "batch, steps, channels": lambda signal: in_axis_order(signal.permute(0, 2, 1).contiguous(), (0, 2, 1)),
    "channels, steps, batch": lambda signal: in_axis_order(signal.permute(1, 2, 0).contiguous(), (1, 2, 0)),
    "every second": lambda signal: torch.stack((signal, signal), -1).flatten(-2)[..., ::2],
}


def numbers(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


def trained(module: nn.Module, signal: Tensor) -> list[Tensor]:
    """Return outputs of a module in training, the gradient of its input, and those of its parameters."""
    module.train()
    module.zero_grad()
    leaf = signal.detach().requires_grad_()
    outputs = module(leaf)
    (outputs * numbers(*outputs.shape)).sum().backward()
    return [outputs, leaf.grad, *(one.grad for one in module.parameters() if one.grad is not None)]  # type: ignore[list-item]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("path", ["numba", "torch"])
@pytest.mark.parametrize(
    "make",
    [
        lambda: FloatLayers().conv1d(6, 5, 1, padding=0),
        lambda: FloatLayers().conv1d(6, 5, 3, padding="same"),
        lambda: FloatLayers().batchnorm(6),
        lambda: FloatLayers().average_pool(3),
        lambda: ZeroInitialState(LIF(6, 0.9, 0.5, learnable="both")),
    ],
    ids=["pointwise", "conv", "batchnorm", "pool", "lif"],
)
def test_values_and_gradients_do_not_depend_on_the_order(make: Callable[[], nn.Module], order: str, path: str) -> None:
    torch.manual_seed(0)
    module = make()
    signal = numbers(4, 6, 20)
    with using_kernels(path):
        expected = trained(module, signal)
        found = trained(module, ORDERS[order](signal))
    assert found[0].shape == expected[0].shape
    for mine, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-5)


def test_time_first_is_the_same_signal_in_another_order() -> None:
    signal = numbers(3, 4, 5)
    assert torch.equal(time_first(signal), signal)
    assert channels_last(time_first(signal)) == (2, 0, 1)
    assert channels_last(ORDERS["batch, steps, channels"](signal)) == (0, 2, 1)
    assert channels_last(signal) is None
    assert time_first(time_first(signal)).data_ptr() != signal.data_ptr()
    kept = time_first(signal)
    assert time_first(kept).data_ptr() == kept.data_ptr()


def test_a_batch_norm_keeps_the_order_and_its_statistics() -> None:
    signal = numbers(8, 6, 30) * 3 + 1
    ours, torchs = BatchNorm1d(6), nn.BatchNorm1d(6)
    outputs = ours(time_first(signal))
    assert channels_last(outputs) == (2, 0, 1)
    torch.testing.assert_close(outputs, torchs(signal))
    torch.testing.assert_close(ours.running_var, torchs.running_var)
    ours.eval()
    torchs.eval()
    torch.testing.assert_close(ours(time_first(signal)), torchs(signal), atol=1e-5, rtol=1e-5)
    assert ours(numbers(5, 6)).shape == (5, 6)


@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("family", ["spiking_mlp", "spiking_conv"])
def test_spiking_families_train_in_one_order_from_the_first_neurons_on(family: str, task: str) -> None:
    chosen = load_family(family)
    if task not in chosen.tasks:
        return
    shape = Shape(channels=5, steps=40, step_rate_hz=100.0, outputs=3, task=task)
    network = chosen.build(chosen.Options(dropout=0.5), shape, FloatLayers()).train()
    seen: list[tuple[str, tuple[int, ...] | None]] = []
    for module in network.modules():
        if isinstance(module, ZeroInitialState | nn.Conv1d | nn.BatchNorm1d | nn.Dropout):
            module.register_forward_hook(
                lambda module, _inputs, signal: seen.append((type(module).__name__, channels_last(signal)))
            )
    network(numbers(4, 5, 40))
    first = next(place for place, (name, _) in enumerate(seen) if name == "ZeroInitialState")
    start = 0 if family == "spiking_mlp" else first
    assert len(seen) > 5
    assert {order for _, order in seen[start:]} == {(2, 0, 1)}


def test_evaluation_leaves_the_order_alone() -> None:
    seen: list[bool] = []
    network = TimeFirst(nn.Identity())
    network[0].register_forward_hook(lambda _module, _inputs, signal: seen.append(signal.is_contiguous()))
    network.train()(numbers(2, 3, 4))
    network.eval()(numbers(2, 3, 4))
    assert seen == [False, True]
