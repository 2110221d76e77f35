"""Spiking neurons: hand-worked steps, snnTorch as the oracle, and state that can be handed on."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from energy_models.errors import StudentError
from students.neurons.lif import LIF, LeakyIntegrator, Reset
from students.neurons.snntorch_adapter import leaky_reference


def test_lif_hand_worked() -> None:
    """beta .5, threshold 1: U = 1.0 (equal: silent), 1.5 (fires), .5*1.5+1-1 = .75, .5*.75+.75 = 1.125 (fires)."""
    layer = LIF(1, beta=0.5, threshold=1.0)
    spikes, state = layer(torch.tensor([[[1.0, 1.0, 1.0, 0.75]]]))
    assert spikes.tolist() == [[[0.0, 1.0, 0.0, 1.0]]]
    assert state.tolist() == [[1.125]]


def test_lif_without_reset_hand_worked() -> None:
    """U = 1, 1.5, 1.75, .5*1.75 = .875: fires at 1.5 and 1.75, nothing is subtracted."""
    spikes, state = LIF(1, beta=0.5, threshold=1.0, reset="none")(torch.tensor([[[1.0, 1.0, 1.0, 0.0]]]))
    assert spikes.tolist() == [[[0.0, 1.0, 1.0, 0.0]]]
    assert state.tolist() == [[0.875]]


def test_a_learned_threshold_that_falls_below_zero_does_not_fire_at_rest() -> None:
    layer = LIF(2, beta=0.9, threshold=0.1, learnable="threshold")
    with torch.no_grad():
        layer.threshold.fill_(-0.5)
    spikes, state = layer(torch.zeros(1, 2, 6))
    assert spikes.sum().item() == 0
    assert state.abs().sum().item() == 0
    assert layer(torch.ones(1, 2, 6))[0].sum().item() == 12


def test_integrator_hand_worked() -> None:
    """U = 2, .5*2-1 = 0, .5*0+4 = 4."""
    membranes, state = LeakyIntegrator(1, beta=0.5)(torch.tensor([[[2.0, -1.0, 4.0]]]))
    assert membranes.tolist() == [[[2.0, 0.0, 4.0]]]
    assert state.tolist() == [[4.0]]


@pytest.mark.parametrize("reset", ["subtract", "none"])
@pytest.mark.parametrize("alpha", [2.0, 5.0])
def test_same_spikes_membranes_and_gradients_as_snntorch(reset: Reset, alpha: float) -> None:
    generator = torch.Generator().manual_seed(7)
    current = torch.randn(8, 12, 60, generator=generator) * 0.5 + 0.1
    start = torch.rand(8, 12, generator=generator)
    weights = torch.randn(8, 12, 60, generator=generator) / 60
    ours, theirs = (LIF(12, 0.85, 0.6, learnable="both", reset=reset, surrogate_alpha=alpha) for _ in range(2))
    inputs = [current.clone().requires_grad_() for _ in range(2)]
    states = [start.clone().requires_grad_() for _ in range(2)]
    spikes, after = ours(inputs[0], states[0])
    expected, membranes = leaky_reference(theirs, inputs[1], states[1])
    assert torch.equal(spikes, expected)
    assert torch.equal(after, membranes[..., -1])
    assert 0.05 < spikes.mean() < 0.95
    ((spikes * weights).sum() + after.square().sum() / 50).backward()
    ((expected * weights).sum() + membranes[..., -1].square().sum() / 50).backward()
    pairs = [inputs, states, (ours.beta, theirs.beta), (ours.threshold, theirs.threshold)]
    for mine, reference in pairs:
        assert mine.grad is not None
        assert reference.grad is not None
        assert float(reference.grad.abs().max()) > 0
        torch.testing.assert_close(mine.grad, reference.grad, atol=1e-5, rtol=1e-5)


def test_integrator_gradient_equals_autograd_through_a_loop() -> None:
    current = torch.randn(3, 4, 20, generator=torch.Generator().manual_seed(1))
    fused, loop = current.clone().requires_grad_(), current.clone().requires_grad_()
    layer, beta = LeakyIntegrator(4, 0.8, "beta"), torch.tensor(0.8, requires_grad=True)
    membranes, _ = layer(fused)
    membranes.square().mean().backward()
    steps, membrane = [], torch.zeros(3, 4)
    for drive in loop.unbind(-1):
        membrane = beta * membrane + drive
        steps.append(membrane)
    torch.stack(steps, -1).square().mean().backward()
    torch.testing.assert_close(fused.grad, loop.grad, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(layer.beta.grad, beta.grad, atol=1e-6, rtol=1e-5)


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(1, 7), min_size=1, max_size=6), seed=st.integers(0, 10_000))
def test_feeding_pieces_with_state_equals_feeding_all_at_once(cuts: list[int], seed: int) -> None:
    current = torch.randn(2, 3, sum(cuts), generator=torch.Generator().manual_seed(seed))
    for layer in (LIF(3, 0.9, 0.5), LIF(3, 0.7, 0.4, reset="none"), LeakyIntegrator(3, 0.8)):
        whole, end = layer(current)
        state, pieces = None, []
        for piece in current.split(cuts, dim=-1):
            out, state = layer(piece, state)
            pieces.append(out)
        assert torch.equal(torch.cat(pieces, dim=-1), whole)
        assert state is not None
        assert torch.equal(state, end)


@pytest.mark.parametrize("factor", [0.25, 4.0])
def test_a_factor_on_the_current_folds_into_the_threshold(factor: float) -> None:
    """Powers of two, so that rounding cannot hide a difference."""
    current = torch.randn(2, 3, 40, generator=torch.Generator().manual_seed(5))
    spikes, state = LIF(3, 0.9, 0.5)(current)
    scaled, scaled_state = LIF(3, 0.9, 0.5 * factor)(current * factor)
    assert torch.equal(spikes, scaled)
    assert torch.equal(state * factor, scaled_state)


def test_state_passed_in_is_never_changed() -> None:
    state = torch.full((1, 2), 0.9)
    for layer in (LIF(2, 0.9, 0.5), LeakyIntegrator(2, 0.9)):
        layer(torch.ones(1, 2, 5), state)
    assert state.tolist() == [[torch.tensor(0.9).item()] * 2]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: LIF(2, 1.5, 1.0), "decay"),
        (lambda: LIF(2, 0.9, 0.0), "threshold must be positive"),
        (lambda: LIF(2, 0.9, 1.0)(torch.ones(1, 3, 4)), r"\(batch, 2, steps\), found \(1, 3, 4\)"),
    ],
)
def test_errors_say_what_and_where(make, words: str) -> None:
    with pytest.raises(StudentError, match=words):
        make()
