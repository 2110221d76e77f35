"""Neurons in pieces: the same bits step by step, gradients through every piece, less kept for them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from energy_models.errors import StudentError
from students.kernels import using_kernels
from students.neurons import (
    LIF,
    AdaptiveLIF,
    LeakyIntegrator,
    MultiSpikeLIF,
    ParametricLIF,
    RecurrentLIF,
    SynapticLIF,
    ZeroInitialState,
)
from students.neurons.checkpointed import Checkpointed

KINDS = {
    "LIF": lambda: LIF(4, 0.8, 0.4, learnable="both"),
    "LIF, zero": lambda: LIF(4, 0.8, 0.4, learnable="both", reset="zero"),
    "counts": lambda: MultiSpikeLIF(4, 0.7, 0.3, 5, learnable="both", parameters="of each neuron"),
    "counts, residue": lambda: MultiSpikeLIF(4, 0.7, 0.3, 5, learnable="both", reset="residue"),
    "synaptic": lambda: SynapticLIF(4, 0.6, 0.8, 0.9, learnable="both"),
    "adaptive": lambda: AdaptiveLIF(4, 0.8, 0.9, 0.4, 0.2, learnable="both"),
    "parametric": lambda: ParametricLIF(4, 2.5, 0.3),
    "recurrent": lambda: RecurrentLIF(4, 0.8, 0.4, learnable="both"),
    "readout": lambda: LeakyIntegrator(4, 0.8, "beta"),
}


def current() -> Tensor:
    return 0.7 * torch.randn(3, 4, 32, generator=torch.Generator().manual_seed(1)) + 0.1


def trained(neurons: nn.Module) -> tuple[Tensor, list[Tensor], int]:
    """Return the signal, all gradients, and how many numbers were kept for the backward pass."""
    given, kept = current().requires_grad_(), []
    weights = torch.randn(3, 4, 32, generator=torch.Generator().manual_seed(2))

    def keep(tensor: Tensor) -> Tensor:
        kept.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        signal, _ = neurons(given, None)
    (signal * weights).sum().backward()
    return signal.detach(), [given.grad, *(one.grad for one in neurons.parameters() if one.requires_grad)], sum(kept)


@pytest.mark.parametrize("path", ["torch", "numba"])
@pytest.mark.parametrize("kind", KINDS)
def test_pieces_are_the_whole(kind: str, path: str) -> None:
    torch.manual_seed(0)
    plain = KINDS[kind]()
    with using_kernels(path):  # type: ignore[arg-type]
        signal, gradients, _ = trained(plain)
        plain.zero_grad()
        again, found, _ = trained(Checkpointed(plain, 5))
    assert torch.equal(signal, again)
    assert len(found) == len(gradients) > 1
    for one, other in zip(gradients, found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_one_step_at_a_time_is_the_whole(kind: str) -> None:
    torch.manual_seed(0)
    neurons, signal, state, pieces = KINDS[kind](), current(), None, []
    with torch.inference_mode():
        whole, last = neurons(signal, None)
        for step in signal.split(1, dim=-1):
            found, state = neurons(step, state)
            pieces.append(found)
    assert torch.equal(torch.cat(pieces, -1), whole)
    for one, other in zip(*((each if isinstance(each, tuple) else (each,)) for each in (state, last)), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("kind", ["synaptic", "adaptive"])
def test_less_is_kept_of_neurons_that_run_in_torch(kind: str) -> None:
    """Of 32 steps and 12 numbers a step: every step's operands, or currents (384) and two states before each piece."""
    plain, pieces = trained(KINDS[kind]())[2], trained(Checkpointed(KINDS[kind](), 8))[2]
    assert pieces <= 384 + 4 * 2 * 12 + 8 < 0.4 * plain, (plain, pieces)


def test_others_keep_their_membranes_anyway() -> None:
    plain, pieces = trained(KINDS["LIF"]())[2], trained(Checkpointed(KINDS["LIF"](), 8))[2]
    assert plain <= pieces


def test_in_a_network_and_without_gradients() -> None:
    neurons = KINDS["LIF"]()
    both = [ZeroInitialState(one)(current()) for one in (neurons, Checkpointed(neurons, 7))]
    assert torch.equal(*both)
    with torch.inference_mode():
        assert torch.equal(Checkpointed(neurons, 7)(current())[0], both[0])
    with pytest.raises(StudentError, match="pieces of 0 steps"):
        Checkpointed(neurons, 0)
