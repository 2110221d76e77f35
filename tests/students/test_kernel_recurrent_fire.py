"""Recurrent leaky neurons: the same bits in both forms, snnTorch's spikes and gradients, gradients in float64."""

from __future__ import annotations

import itertools

import pytest
import snntorch
import torch
from test_kernel_neurons import RESETS, SHAPES, inputs, weighted
from torch import Tensor, nn

from students.kernels import using_kernels
from students.kernels.neurons.fire import Reset
from students.kernels.neurons.recurrent_fire import fire_recurrently

WIRINGS = ("matrix", "matrix and bias", "vector", "vector and bias", "scalar")


def all_inputs(
    shape: tuple[int, int, int], wiring: str, per_channel: bool = True, dtype: torch.dtype = torch.float32
) -> list[Tensor | None]:
    """Return current, state, beta, threshold, recurrent weights and their bias."""
    generator, width = torch.Generator().manual_seed(5), shape[2]
    sizes = {"matrix": (width, width), "vector": (width,), "scalar": ()}
    weight = torch.randn(sizes[wiring.split(maxsplit=1)[0]], generator=generator) * 0.4
    bias = torch.randn(width, generator=generator) * 0.1 if wiring.endswith("bias") else None
    return [*inputs(shape, per_channel, dtype), weight.to(dtype), None if bias is None else bias.to(dtype)]


def run(path: str, given: list[Tensor | None], reset: Reset, learned: tuple[int, ...] = (0, 1, 2, 3, 4, 5)):
    """Return spikes, last membranes, and the gradients of the learned inputs, by place."""
    leaves = [None if one is None else one.clone().requires_grad_(place in learned) for place, one in enumerate(given)]
    with using_kernels(path):
        outputs = fire_recurrently(*leaves[:4], weight=leaves[4], bias=leaves[5], alpha=2.0, reset=reset)
        if learned:
            weighted(outputs).backward()
    return outputs, [None if leaf is None else leaf.grad for leaf in leaves]


@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize("wiring", WIRINGS)
@pytest.mark.parametrize("shape", SHAPES)
def test_both_forms_have_the_same_bits(shape: tuple[int, int, int], wiring: str, reset: Reset) -> None:
    given = all_inputs(shape, wiring)
    (outputs, grads), (expected, wanted) = run("numba", given, reset), run("torch", given, reset)
    assert all(map(torch.equal, outputs, expected))
    for place, (mine, theirs) in enumerate(zip(grads, wanted, strict=True)):
        if given[place] is None:
            assert mine is theirs is None
        elif place in {2, 3}:  # sums of float64 beside sums of float32
            torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-4)
        else:
            assert torch.equal(mine, theirs)


def theirs(given: list[Tensor | None], reset: Reset) -> tuple[Tensor, Tensor, list[Tensor | None]]:
    """Return spikes, last membranes and gradients of ``snntorch.RLeaky`` in a loop."""
    current, state, beta, threshold, weight, bias = (None if one is None else one.clone() for one in given)
    leaves = [one.requires_grad_() for one in (current, state, beta, threshold)]
    dense = weight.ndim == 2
    neuron = snntorch.RLeaky(
        0.0, V=weight, all_to_all=dense, linear_features=current.shape[2] if dense else None, reset_mechanism=reset
    )
    for name, value in (("beta", beta), ("threshold", threshold)):
        neuron._buffers.pop(name)
        setattr(neuron, name, value)
    if dense:
        neuron.recurrent.weight.data.copy_(weight)
        neuron.recurrent.bias = None if bias is None else nn.Parameter(bias)
    spike, membrane, spikes = neuron.fire(state), state, []
    for now in current.unbind(0):
        spike, membrane = neuron(now, spike, membrane)
        spikes.append(spike)
    outputs = torch.stack(spikes), membrane
    weighted(outputs).backward()
    learned = neuron.recurrent.weight if dense else neuron.recurrent.V
    of_bias = None if bias is None else neuron.recurrent.bias.grad
    return *outputs, [*(one.grad for one in leaves), learned.grad, of_bias]


@pytest.mark.parametrize("path", ["numba", "torch"])
@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("wiring", ["matrix", "matrix and bias", "vector", "scalar"])
def test_spikes_and_gradients_are_those_of_snntorch(path: str, reset: Reset, per_channel: bool, wiring: str) -> None:
    given = all_inputs((40, 6, 9), wiring, per_channel)
    outputs, grads = run(path, given, reset)
    spikes, membrane, wanted = theirs(given, reset)
    assert torch.equal(outputs[0], spikes)
    torch.testing.assert_close(outputs[1], membrane)
    assert 0.05 < float(spikes.detach().mean()) < 0.95
    summed = float(wanted[0].abs().sum())  # a parameter's gradient is a sum over steps, batch and perhaps channels
    for place, (mine, reference) in enumerate(zip(grads, wanted, strict=True)):
        assert (mine is None) == (reference is None)
        if mine is not None:
            bound = 1e-5 * float(reference.abs().max()) if place < 2 else 1e-6 * summed
            assert float((mine - reference).abs().max()) <= bound


def test_gradients_of_the_reference_are_right_where_nothing_is_a_surrogate() -> None:
    """Membranes of neurons that do not reset and whose surrogate is flat are linear in all that they are given."""
    for wiring in WIRINGS:
        every = all_inputs((4, 2, 3), wiring, True, torch.float64)
        given = [None if one is None else one.requires_grad_() for one in every]

        def membranes(*leaves: Tensor, names: tuple[int, ...]) -> Tensor:
            taken = dict(zip(names, leaves, strict=True))
            current, state, beta, threshold, weight = (taken[place] for place in range(5))
            return fire_recurrently(
                current, state, beta, threshold, weight=weight, bias=taken.get(5), alpha=1e-9, reset="none"
            )[1]

        names = tuple(place for place, one in enumerate(given) if one is not None)
        leaves = tuple(one for one in given if one is not None)
        assert torch.autograd.gradcheck(lambda *all_, names=names: membranes(*all_, names=names), leaves)


def test_the_surrogate_reaches_back_through_the_recurrent_weights() -> None:
    """One neuron, beta 0, threshold 1, w 1: U = 1.5 (fires), then U = 0 + 0 + 1 - 1 = 0; gradients of the last U.

    dU[1]/dS[0] = w = 1, dS[0]/dU[0] = 1 / (1 + (pi x)^2) at x = .5 = .28840 (alpha 2), R detached:
    dU[1]/dI[0] = .28840, dU[1]/dI[1] = 1, dU[1]/dw = S[0] = 1, dU[1]/dthreshold = -1 (the reset) - .28840 (the spike).
    """
    given = [torch.tensor([[[1.5]], [[0.0]]]), *map(torch.tensor, (0.0, 1.0, 1.0))]
    current, beta, threshold, weight = [one.requires_grad_() for one in given]
    spikes, last = fire_recurrently(current, None, beta, threshold, weight=weight, alpha=2.0)
    assert spikes.flatten().tolist() == [1.0, 0.0]
    last.sum().backward()
    assert current.grad.flatten().tolist() == pytest.approx([0.28840, 1.0], abs=1e-5)
    assert (threshold.grad.item(), weight.grad.item()) == (pytest.approx(-1.28840, abs=1e-5), 1.0)


def test_a_state_at_the_start_has_fired_with_the_surrogate_and_rest_has_not() -> None:
    """beta 0, threshold 1, w 3, one step: U = 3 S[-1]; from a state of 1.5 dU/dstate = 3 x .28840."""
    state, threshold = torch.tensor([[1.5]], requires_grad=True), torch.tensor(1.0, requires_grad=True)
    given = torch.zeros(1, 1, 1), torch.tensor(0.0)
    _, last = fire_recurrently(given[0], state, given[1], threshold, weight=torch.tensor(3.0), alpha=2.0, reset="none")
    last.sum().backward()
    assert (last.item(), state.grad.item()) == (3.0, pytest.approx(3 * 0.28840, abs=3e-5))
    assert threshold.grad.item() == pytest.approx(-3 * 0.28840, abs=3e-5)
    threshold.grad = None
    fire_recurrently(given[0], None, given[1], threshold, weight=torch.tensor(3.0), alpha=2.0)[1].sum().backward()
    assert threshold.grad.item() == 0.0


@pytest.mark.parametrize("path", ["numba", "torch"])
@pytest.mark.parametrize("reset", RESETS)
def test_parameter_gradients_are_the_float64_ones_to_within_a_millionth_of_what_is_summed(path: str, reset: Reset):
    given = all_inputs((200, 16, 8), "vector")
    outputs, grads = run(path, given, reset)
    exact, wanted = run("torch", [None if one is None else one.double() for one in given], reset)
    assert torch.equal(outputs[0].double(), exact[0])
    total = wanted[0].abs().sum((0, 1))
    for mine, reference in zip(grads[2:5], wanted[2:5], strict=True):
        assert ((mine - reference).abs() <= 1e-6 * (total * 4 + 1)).all()


@pytest.mark.parametrize("path", ["numba", "torch"])
def test_only_what_learns_gets_a_gradient_and_it_is_the_same(path: str) -> None:
    given = all_inputs((9, 4, 3), "matrix and bias")
    _, every = run(path, given, "subtract")
    for number in range(7):
        for learned in itertools.combinations(range(6), number):
            _, grads = run(path, given, "subtract", learned)
            assert [one is not None for one in grads] == [place in learned for place in range(6)]
            assert all(one is None or torch.equal(one, all_) for one, all_ in zip(grads, every, strict=True))


@pytest.mark.parametrize("path", ["numba", "torch"])
def test_strides_repeats_and_the_lack_of_a_graph_change_nothing(path: str) -> None:
    current, *rest = all_inputs((11, 6, 4), "matrix")
    scattered = current.permute(1, 2, 0).contiguous().permute(2, 0, 1)
    before = [None if one is None else one.clone() for one in (current, *rest)]
    with using_kernels(path):
        expected = fire_recurrently(current, *rest[:3], weight=rest[3], alpha=2.0)
        with torch.no_grad():
            wide = torch.cat((rest[3], rest[3]))[::2]
            wide.copy_(rest[3])
            found = fire_recurrently(scattered, *rest[:3], weight=rest[3].t().contiguous().t(), alpha=2.0)
    assert found[0].grad_fn is None
    assert all(map(torch.equal, found, expected))
    assert all(one is None or torch.equal(one, was) for one, was in zip((current, *rest), before, strict=True))
    first, second = run(path, [current, *rest], "zero"), run(path, [current, *rest], "zero")
    assert all(one is None or torch.equal(one, other) for one, other in zip(first[1], second[1], strict=True))


@pytest.mark.parametrize("path", ["numba", "torch"])
def test_a_gradient_of_a_gradient_is_refused(path: str) -> None:
    leaves = [one.requires_grad_() for one in all_inputs((5, 2, 3), "matrix") if one is not None]
    with using_kernels(path):
        outputs = fire_recurrently(*leaves[:4], weight=leaves[4], alpha=2.0)
        (grad,) = torch.autograd.grad(weighted(outputs).square(), leaves[:1], create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        grad.sum().backward()
