"""Neurons beside the plain one: hand-worked steps, snnTorch and SpikingJelly as oracles, state that is handed on."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import snntorch
import torch
from torch import Tensor, nn

from energy_models.errors import StudentError
from students.kernels.neurons.fire import Reset
from students.neurons import LIF, AdaptiveLIF, MultiSpikeLIF, ParametricLIF, Surrogate, SynapticLIF
from students.neurons.parameters import learned

KINDS: tuple[Callable[[], nn.Module], ...] = (
    lambda: LIF(3, 0.8, 0.4, parameters="of each neuron"),
    lambda: MultiSpikeLIF(3, 0.8, 0.2, 7),
    lambda: MultiSpikeLIF(3, 1.0, 0.3, 1, start=0.5),
    lambda: SynapticLIF(3, 0.6, 0.8, 0.5),
    lambda: SynapticLIF(3, 0.6, 0.8, 0.5, reset="zero"),
    lambda: AdaptiveLIF(3, 0.8, 0.9, 0.3, 0.2),
    lambda: ParametricLIF(3, 2.0, 0.3),
)


def test_several_events_hand_worked() -> None:
    """beta .5, threshold 1, at most 3.

    U = 2.5 (2 events), .5*2.5 + 0 - 2 = -.75 (none), .5*-.75 + 6 = 5.625 (3, the most), .5*5.625 + 0 - 3 = -.1875.
    """
    events, state = MultiSpikeLIF(1, 0.5, 1.0, 3)(torch.tensor([[[2.5, 0.0, 6.0, 0.0]]]))
    assert events.tolist() == [[[2.0, 0.0, 3.0, 0.0]]]
    assert state.tolist() == [[-0.1875]]


def test_integrate_and_fire_starts_at_half_a_threshold() -> None:
    """beta 1, threshold 1, start .5: U = .5 + .6 = 1.1 (fires), 1.1 + .6 - 1 = .7, .7 + .6 = 1.3."""
    events, _ = MultiSpikeLIF(1, 1.0, 1.0, 1, start=0.5)(torch.full((1, 1, 3), 0.6))
    assert events.tolist() == [[[1.0, 0.0, 1.0]]]


def test_an_adaptive_threshold_hand_worked() -> None:
    """beta 0, all else 1, current 2.5: U = 2.5 > 1 (fires), U = 2.5 - 1 < 2 (the raised threshold), 2.5 > 2 (fires)."""
    layer = AdaptiveLIF(1, 0.0, 1.0, 1.0, 1.0)
    spikes, (membrane, adaptation, fired) = layer(torch.full((1, 1, 3), 2.5))
    assert spikes.tolist() == [[[1.0, 0.0, 1.0]]]
    assert (membrane.item(), adaptation.item(), fired.item()) == (2.5, 1.0, 1.0)


def reference(layer: SynapticLIF, current: Tensor) -> tuple[Tensor, Tensor]:
    """Return spikes and membranes of ``snntorch.Synaptic`` with a layer's parameters, stepped in a loop."""
    make = {
        "arctangent": snntorch.surrogate.atan, "fast sigmoid": snntorch.surrogate.fast_sigmoid,
        "sigmoid": snntorch.surrogate.sigmoid,
    }[layer.surrogate.kind]  # fmt: skip
    neuron = snntorch.Synaptic(
        alpha=0.0, beta=0.0, spike_grad=make(layer.surrogate.steepness), reset_mechanism=layer.reset
    )
    snntorch.SpikingNeuron.instances[:] = [one for one in snntorch.SpikingNeuron.instances if one is not neuron]
    for name in ("alpha", "beta", "threshold"):
        neuron._buffers.pop(name, None)
        setattr(neuron, name, getattr(layer, name))
    flowing = membrane = torch.zeros_like(current[..., 0])
    found: list[tuple[Tensor, Tensor]] = []
    for drive in current.unbind(-1):
        spikes, flowing, membrane = neuron(drive, flowing, membrane)
        found.append((spikes, membrane))
    return torch.stack([one for one, _ in found], -1), torch.stack([one for _, one in found], -1)


@pytest.mark.parametrize("surrogate", [Surrogate(), Surrogate("fast sigmoid", 5.0), Surrogate("sigmoid", 5.0)])
@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
def test_a_synaptic_current_is_that_of_snntorch(reset: Reset, surrogate: Surrogate) -> None:
    generator = torch.Generator().manual_seed(3)
    current = torch.randn(4, 6, 30, generator=generator) * 0.4 + 0.1
    weights = torch.randn(4, 6, 30, generator=generator) / 30
    ours, theirs = (
        SynapticLIF(6, 0.7, 0.8, 0.6, learnable="both", reset=reset, surrogate=surrogate) for _ in range(2)
    )
    given = [current.clone().requires_grad_() for _ in range(2)]
    spikes, (_, after) = ours(given[0])
    expected, membranes = reference(theirs, given[1])
    assert torch.equal(spikes, expected)
    assert 0.02 < spikes.mean() < 0.98
    ((spikes * weights).sum() + after.square().sum() / 50).backward()
    ((expected * weights).sum() + membranes[..., -1].square().sum() / 50).backward()
    learned_ones = ((getattr(ours, name), getattr(theirs, name)) for name in ("alpha", "beta", "threshold"))
    for mine, other in ((given[0], given[1]), *learned_ones):
        torch.testing.assert_close(mine.grad, other.grad, atol=1e-5, rtol=1e-5)


def test_a_learned_time_constant_follows_its_equation() -> None:
    """H = V + (X - V) sigmoid(w), fires above the threshold, then V = 0: ``ParametricLIFNode`` with a hard reset."""
    current = torch.randn(20, 3, 4, generator=torch.Generator().manual_seed(2)) + 0.5
    layer, membrane, found = ParametricLIF(4, 4.0, 0.3), torch.zeros(3, 4), []
    assert layer.w.sigmoid().item() == pytest.approx(1 / 4)
    for drive in current.unbind(0):
        charged = membrane + (drive - membrane) * torch.sigmoid(layer.w)
        found.append((charged > 0.3).float())
        membrane = charged * (1 - found[-1])
    assert torch.equal(layer(current.permute(1, 2, 0))[0].permute(2, 0, 1), torch.stack(found))


@pytest.mark.parametrize("make", KINDS)
def test_pieces_with_state_are_the_whole_and_calls_without_state_repeat(make: Callable[[], nn.Module]) -> None:
    layer = make()
    current = torch.randn(2, 3, 24, generator=torch.Generator().manual_seed(4)) + 0.3
    whole, end = layer(current)
    assert torch.equal(layer(current)[0], whole)  # nothing stays from one recording to the next
    assert torch.equal(layer(current[1:])[0], whole[1:])  # nor from one example to another
    state, pieces = None, []
    for piece in current.split([1, 7, 16], dim=-1):
        out, state = layer(piece, state)
        pieces.append(out)
    assert torch.equal(torch.cat(pieces, -1), whole)
    ends, states = (end, state) if isinstance(end, tuple) else ((end,), (state,))
    assert all(map(torch.equal, ends, states))


@pytest.mark.parametrize("make", KINDS)
def test_gradients_reach_every_learned_parameter(make: Callable[[], nn.Module]) -> None:
    layer = make().requires_grad_()
    layer(torch.rand(2, 3, 20, generator=torch.Generator().manual_seed(5)))[0].sum().backward()
    assert all(one.grad is not None for one in layer.parameters())
    sizes = {name: tuple(one.shape) for name, one in layer.named_parameters()}
    assert all(size in {(), (3,)} for size in sizes.values())


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: MultiSpikeLIF(2, 0.9, 1.0, 0), "at most 0"),
        (lambda: MultiSpikeLIF(2, 0.9, 1.0, 3, start=2.0), "starts between 0 and one threshold"),
        (lambda: MultiSpikeLIF(2, 1.1, 1.0, 3), "decay"),
        (lambda: SynapticLIF(2, 1.5, 0.9, 1.0), "decay"),
        (lambda: AdaptiveLIF(2, 0.9, 0.9, 1.0, -0.1), "strength"),
        (lambda: ParametricLIF(2, 1.0), "time constant"),
        (lambda: ParametricLIF(2, 2.0, -1.0), "threshold must be positive"),
        (lambda: SynapticLIF(2, 0.9, 0.9, 1.0)(torch.ones(1, 3, 4)), r"\(batch, 2, steps\)"),
    ],
)
def test_errors_say_what(make: Callable[[], object], words: str) -> None:
    with pytest.raises(StudentError, match=words):
        make()


def test_what_is_learned_follows_the_word() -> None:
    assert [learned("both", "beta"), learned("threshold", "beta")] == ["learned", "fixed"]
