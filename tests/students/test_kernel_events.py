"""Neurons with several events a step: the same bits in both forms, one event as before, gradients in float64."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from energy_models.errors import StudentError
from students.kernels import using_kernels
from students.kernels.neurons.events import EventReset, events_of, fire_events
from students.kernels.neurons.fire import Reset, fire
from students.kernels.neurons.surrogates import Surrogate, spike

RESETS: tuple[Reset, ...] = ("subtract", "zero", "none")
SURROGATES = (Surrogate(), Surrogate("fast sigmoid", 25.0), Surrogate("sigmoid", 25.0))


def inputs(shape: tuple[int, int, int], dtype: torch.dtype = torch.float32) -> list[Tensor]:
    """Return a current, a state, beta and threshold of each channel."""
    generator = torch.Generator().manual_seed(sum(shape))
    current = torch.randn(shape, generator=generator) + 0.2
    state = torch.rand(shape[1:], generator=generator) * 2
    beta, threshold = torch.rand(shape[2], generator=generator) * 0.3 + 0.6, torch.full((shape[2],), 0.4)
    return [one.to(dtype) for one in (current, state, beta, threshold)]


def run(path: str, given: list[Tensor], most: int, reset: EventReset, surrogate: Surrogate = SURROGATES[0]):
    """Return events, last membranes and the gradients of all four inputs."""
    leaves = [one.clone().requires_grad_() for one in given]
    with using_kernels(path):
        events, last = fire_events(*leaves, most=most, surrogate=surrogate, reset=reset)
        weights = torch.randn(events.shape, generator=torch.Generator().manual_seed(1)).to(events.dtype)
        ((events * weights).sum() + last.square().sum()).backward()
    return (events, last), [leaf.grad for leaf in leaves]


@pytest.mark.parametrize("surrogate", SURROGATES, ids=lambda one: one.kind)
@pytest.mark.parametrize("reset", [*RESETS, "residue"])
@pytest.mark.parametrize("most", [1, 3, 15])
def test_both_forms_agree_and_gradients_are_those_of_float64(
    most: int, reset: EventReset, surrogate: Surrogate
) -> None:
    given = inputs((40, 4, 6))
    (outputs, grads), (expected, wanted) = (run(path, given, most, reset, surrogate) for path in ("numba", "torch"))
    assert all(map(torch.equal, outputs, expected))
    exact, true = run("torch", [one.double() for one in given], most, reset, surrogate)
    assert torch.equal(outputs[0].double(), exact[0])
    assert outputs[0].max() <= most
    for mine, plain, best in zip(grads, wanted, true, strict=True):
        torch.testing.assert_close(mine, plain, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(mine.double(), best, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("shape", [(0, 2, 3), (3, 0, 2), (1, 1, 1)])
@pytest.mark.parametrize("path", ["numba", "torch"])
def test_no_steps_and_no_examples_are_no_exception(shape: tuple[int, int, int], path: str) -> None:
    given = inputs(shape)
    (events, last), _ = run(path, given, 3, "subtract")
    assert events.shape == shape
    assert shape[0] > 0 or torch.equal(last, given[1])


@pytest.mark.parametrize("reset", RESETS)
def test_at_most_one_event_is_the_plain_neuron_bit_for_bit(reset: Reset) -> None:
    given = inputs((60, 5, 7))
    (events, last), grads = run("numba", given, 1, reset)
    leaves = [one.clone().requires_grad_() for one in given]
    spikes, after = fire(*leaves, alpha=2.0, reset=reset)
    weights = torch.randn(events.shape, generator=torch.Generator().manual_seed(1))
    ((spikes * weights).sum() + after.square().sum()).backward()
    assert torch.equal(events, spikes)
    assert torch.equal(last, after)
    assert all(torch.equal(mine, leaf.grad) for mine, leaf in zip(grads[:2], leaves[:2], strict=True))
    for mine, leaf in zip(grads[2:], leaves[2:], strict=True):
        torch.testing.assert_close(mine, leaf.grad, rtol=1e-5, atol=1e-5)


def test_what_is_left_over_leaks_on_where_the_reset_is_residue() -> None:
    """beta .5, threshold 1: U = 3.5 (3), .5 * (3.5 - 3) + 1 = 1.25 (1), .5 * .25 + .5 = .625 (none)."""
    current = torch.tensor([3.5, 1.0, 0.5]).view(3, 1, 1)
    events, last = fire_events(
        current, torch.zeros(1, 1), torch.tensor(0.5), torch.tensor(1.0), most=7, reset="residue"
    )
    assert events.flatten().tolist() == [3, 1, 0]
    assert last.item() == 0.625


def test_events_count_the_thresholds_that_a_membrane_exceeds() -> None:
    """Threshold .5, at most 3: at 1.0 the second threshold is met, not exceeded."""
    membranes = torch.tensor([-1.0, 0.5, 0.6, 1.0, 1.1, 1.6, 9.0])
    assert events_of(membranes, torch.tensor(0.5), 3).tolist() == [0, 0, 1, 1, 2, 3, 3]


@pytest.mark.parametrize("surrogate", SURROGATES, ids=lambda one: one.kind)
def test_slopes_are_those_of_snntorch(surrogate: Surrogate) -> None:
    from snntorch import surrogate as theirs

    make = {"arctangent": theirs.atan, "fast sigmoid": theirs.fast_sigmoid, "sigmoid": theirs.sigmoid}
    distance = torch.linspace(-1.5, 1.5, 61)
    mine, other = distance.clone().requires_grad_(), distance.clone().requires_grad_()
    ours, expected = spike(mine, surrogate), make[surrogate.kind](surrogate.steepness)(other)
    assert torch.equal(ours, expected)
    ours.sum().backward()
    expected.sum().backward()
    torch.testing.assert_close(mine.grad, other.grad, rtol=1e-5, atol=1e-7)


def test_a_slope_far_from_the_threshold_is_zero_and_never_nan() -> None:
    for surrogate in SURROGATES:
        assert bool(torch.isfinite(surrogate.slope(torch.tensor([-1e4, 0.0, 1e4]))).all())


@pytest.mark.parametrize("given", [("triangle", 1.0), ("sigmoid", 0.0), ("sigmoid", float("nan"))])
def test_a_surrogate_that_is_none_is_refused(given: tuple[str, float]) -> None:
    with pytest.raises(StudentError, match="surrogate"):
        Surrogate(*given)  # type: ignore[arg-type]
