"""The neuron kernels: the same bits compiled and in torch, gradients against float64, and what they refuse."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from students.kernels import using_kernels
from students.kernels.neurons.fire import Reset, fire
from students.kernels.neurons.integrate import integrate
from students.neurons.lif import LIF
from students.neurons.snntorch_adapter import leaky_reference

SHAPES = [(7, 3, 5), (1, 2, 3), (50, 32, 40), (5, 0, 3), (0, 2, 3), (40, 1, 1)]
RESETS: tuple[Reset, ...] = ("subtract", "zero", "none")


def inputs(shape: tuple[int, int, int], per_channel: bool, dtype: torch.dtype = torch.float32) -> list[Tensor]:
    """Return a current, a state, beta and threshold, made in float32 so that other types hold the same numbers."""
    generator = torch.Generator().manual_seed(sum(shape))
    current = torch.randn(shape, generator=generator) * 0.5 + 0.1
    state = torch.rand(shape[1:], generator=generator) * 2
    size = (shape[2],) if per_channel else ()
    beta, threshold = torch.rand(size, generator=generator) * 0.3 + 0.6, torch.full(size, 0.6)
    return [one.to(dtype) for one in (current, state, beta, threshold)]


def weighted(outputs: tuple[Tensor, ...]) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    weights = [torch.randn(one.shape, generator=generator).to(one.dtype) for one in outputs]
    return torch.stack([(one * weight).sum() for one, weight in zip(outputs, weights, strict=True)]).sum()


def fire_run(path: str, given: list[Tensor], reset: Reset, learned: tuple[int, ...] = (0, 1, 2, 3)):
    """Return spikes, last membranes, and the gradients of the learned inputs, by place."""
    leaves = [one.clone().requires_grad_(place in learned) for place, one in enumerate(given)]
    with using_kernels(path):
        outputs = fire(*leaves, alpha=2.0, reset=reset)
        if learned:
            weighted(outputs).backward()
    return outputs, [leaf.grad for leaf in leaves]


@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_firing_has_the_same_bits_in_both_forms(shape: tuple[int, int, int], per_channel: bool, reset: Reset) -> None:
    given = inputs(shape, per_channel)
    (outputs, grads), (expected, wanted) = fire_run("numba", given, reset), fire_run("torch", given, reset)
    assert all(map(torch.equal, outputs, expected))
    assert all(map(torch.equal, grads[:2], wanted[:2]))
    for mine, theirs in zip(grads[2:], wanted[2:], strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("path", ["numba", "torch"])
@pytest.mark.parametrize("reset", RESETS)
def test_parameter_gradients_are_the_float64_ones_to_within_a_millionth_of_what_is_summed(path: str, reset: Reset):
    given = inputs((200, 16, 8), True)
    outputs, grads = fire_run(path, given, reset)
    exact, wanted = fire_run("torch", [one.double() for one in given], reset)
    assert torch.equal(outputs[0].double(), exact[0])
    total = wanted[0].abs().sum((0, 1))
    for mine, theirs in zip(grads[2:], wanted[2:], strict=True):
        assert ((mine - theirs).abs() <= 1e-6 * (total * 2 + 1)).all()


@pytest.mark.parametrize("path", ["numba", "torch"])
def test_only_what_learns_gets_a_gradient_and_it_is_the_same(path: str) -> None:
    given = inputs((9, 4, 3), True)
    _, every = fire_run(path, given, "subtract")
    for number in range(4):
        for learned in itertools.combinations(range(4), number):
            _, grads = fire_run(path, given, "subtract", learned)
            assert [one is not None for one in grads] == [place in learned for place in range(4)]
            assert all(one is None or torch.equal(one, all_) for one, all_ in zip(grads, every, strict=True))


@pytest.mark.parametrize("path", ["numba", "torch"])
def test_strides_and_the_lack_of_a_graph_change_nothing(path: str) -> None:
    current, state, beta, threshold = inputs((11, 6, 4), False)
    scattered = current.permute(1, 2, 0).contiguous().permute(2, 0, 1)
    assert not scattered.is_contiguous()
    wide = torch.stack((state, state), -1)[..., 0]
    with using_kernels(path):
        expected = fire(current, state, beta, threshold, alpha=2.0)
        with torch.no_grad():
            found = fire(scattered, wide, beta, threshold, alpha=2.0)
            found_again = fire(scattered.requires_grad_(), wide, beta, threshold, alpha=2.0)
    assert all(map(torch.equal, found, expected))
    assert all(map(torch.equal, found_again, expected))
    assert found_again[0].grad_fn is None


@pytest.mark.parametrize("path", ["numba", "torch"])
@pytest.mark.parametrize("kernel", ["fire", "integrate"])
def test_the_arguments_stay_as_they_are_and_runs_repeat_bit_for_bit(path: str, kernel: str) -> None:
    given = [one.requires_grad_() for one in inputs((20, 5, 4), True)]
    before = [one.detach().clone() for one in given]
    seen = []
    with using_kernels(path):
        for _ in range(2):
            outputs = fire(*given, alpha=2.0) if kernel == "fire" else (integrate(*given[:3]),)
            loss = weighted(outputs)
            used = given if kernel == "fire" else given[:3]
            first = torch.autograd.grad(loss, used, retain_graph=True)
            seen += [first, torch.autograd.grad(loss, used)]
    assert all(map(torch.equal, before, given))
    assert all(torch.equal(one, other) for run in seen[1:] for one, other in zip(run, seen[0], strict=True))


@pytest.mark.parametrize("path", ["numba", "torch"])
@pytest.mark.parametrize("kernel", ["fire", "integrate"])
def test_a_gradient_of_a_gradient_is_refused(path: str, kernel: str) -> None:
    given = [one.requires_grad_() for one in inputs((5, 2, 3), False)]
    with using_kernels(path):
        outputs = fire(*given, alpha=2.0) if kernel == "fire" else (integrate(*given[:3]),)
        (grad,) = torch.autograd.grad(weighted(outputs).square(), given[:1], create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        grad.sum().backward()


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_integrating_has_the_same_bits_in_both_forms(shape: tuple[int, int, int], per_channel: bool) -> None:
    found = []
    for path in ("numba", "torch"):
        leaves = [one.clone().requires_grad_() for one in inputs(shape, per_channel)[:3]]
        with using_kernels(path):
            membranes = integrate(*leaves)
        weighted((membranes,)).backward()
        found.append((membranes, *(one.grad for one in leaves)))
    assert all(map(torch.equal, found[0][:3], found[1][:3]))
    torch.testing.assert_close(found[0][3], found[1][3], rtol=1e-4, atol=1e-4)


def test_gradients_of_the_reference_are_right_where_nothing_is_a_surrogate() -> None:
    """Integrators, and membranes of neurons that do not reset: both are linear in current and state."""
    given = [one.requires_grad_() for one in inputs((4, 2, 3), True, torch.float64)]
    assert torch.autograd.gradcheck(integrate, tuple(given[:3]))
    assert torch.autograd.gradcheck(lambda *all_: fire(*all_, alpha=2.0, reset="none")[1], tuple(given))


@pytest.mark.parametrize("path", ["numba", "torch"])
@pytest.mark.parametrize("reset", RESETS)
def test_spikes_and_gradients_are_those_of_snntorch(path: str, reset: Reset) -> None:
    generator = torch.Generator().manual_seed(7)
    current = torch.randn(6, 9, 40, generator=generator) * 0.5 + 0.1
    ours, theirs = (LIF(9, 0.85, 0.6, learnable="both", reset=reset) for _ in range(2))
    one, other = (current.clone().requires_grad_() for _ in range(2))
    with using_kernels(path):
        spikes, _ = ours(one)
        weighted((spikes,)).backward()
    expected, _ = leaky_reference(theirs, other)
    weighted((expected,)).backward()
    assert torch.equal(spikes, expected)
    for mine, reference in [(one, other), (ours.beta, theirs.beta), (ours.threshold, theirs.threshold)]:
        torch.testing.assert_close(mine.grad, reference.grad, atol=1e-5, rtol=1e-4)
