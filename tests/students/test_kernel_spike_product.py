"""The product that keeps spikes as bits: outputs and gradients of torch's, bit for bit."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from students.kernels import using_kernels
from students.kernels.neurons.spike_product import are_spikes, pack_spikes, spike_product, unpack_spikes


def random_spikes(*shape: int) -> Tensor:
    return (torch.rand(shape, generator=torch.Generator().manual_seed(3)) < 0.3).float()


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 100, 4096 * 8, 40_001])
def test_bits_hold_spikes_and_nothing_else(size: int) -> None:
    spikes = random_spikes(size)
    bits = pack_spikes(spikes)
    assert bits is not None
    assert bits.numel() == -(-size // 8)
    assert torch.equal(unpack_spikes(bits, spikes.shape), spikes)
    for place in {0, size // 2, size - 1} & set(range(size)):
        for other in (0.5, -1.0, 2.0, float("nan")):
            changed = spikes.clone()
            changed[place] = other
            assert pack_spikes(changed) is None


def test_spikes_are_known_in_any_order_of_memory() -> None:
    signals = [random_spikes(4, 5, 6), random_spikes(6, 4, 5).permute(1, 2, 0), random_spikes(9, 9)[::2, ::2]]
    for path in ("numba", "torch"):
        with using_kernels(path):
            for signal in signals:
                assert are_spikes(signal)
                assert are_spikes(signal.double())
                assert not are_spikes(signal * 2)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("signal", ["spikes", "numbers"])
@pytest.mark.parametrize(("shape", "outputs"), [((7, 3, 5), 4), ((1, 1, 1), 1), ((64, 16, 24), 32), ((5, 0, 3), 2)])
def test_outputs_and_gradients_are_those_of_torch(shape: tuple[int, ...], outputs: int, signal: str, bias: bool):
    generator = torch.Generator().manual_seed(0)
    rows = random_spikes(*shape) if signal == "spikes" else torch.randn(shape, generator=generator)
    weight, offset = torch.randn(outputs, shape[-1], generator=generator), torch.randn(outputs, generator=generator)
    arriving = torch.randn(*shape[:-1], outputs, generator=generator)
    found = []
    for path in ("numba", "torch"):
        leaves = [one.clone().requires_grad_() for one in (rows, weight, offset)]
        with using_kernels(path):
            made = spike_product(leaves[0], leaves[1], leaves[2] if bias else None)
        found.append((made, *torch.autograd.grad(made, leaves if bias else leaves[:2], arriving)))
    assert all(map(torch.equal, *found))


def test_spikes_are_kept_in_a_thirty_second_of_their_memory() -> None:
    kept: list[Tensor] = []
    rows, weight = random_spikes(50, 8, 16), torch.ones(3, 16, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda one: kept.append(one) or one, lambda one: one):
        spike_product(rows, weight, None)
    sizes = sorted(one.numel() * one.element_size() for one in kept)
    assert sizes == [weight.numel() * 4, rows.numel() // 8]


def test_only_what_learns_gets_a_gradient() -> None:
    rows, weight = random_spikes(4, 3, 2), torch.ones(3, 2)
    assert not spike_product(rows, weight, None).requires_grad
    made = spike_product(rows.clone().requires_grad_(), weight, None)
    assert torch.equal(torch.autograd.grad(made.sum(), [made])[0], torch.ones(4, 3, 3))
    learned = weight.clone().requires_grad_()
    spike_product(rows, learned, None).sum().backward()
    assert learned.grad is not None
    with torch.no_grad():
        assert spike_product(rows, learned, None).grad_fn is None
