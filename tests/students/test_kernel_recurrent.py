"""Recurrent kernels: the numbers of torch's layers, both forms alike, gradients against float64, state in and out."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from students.kernels import kernels_taken, using_kernels
from students.kernels.gru import gru_steps
from students.kernels.lstm import lstm_steps
from students.layers import Recurrent
from students.layers.recurrent import GRU, LSTM

SHAPES = [(4, 7, 5, 3), (2, 1, 3, 4), (0, 5, 2, 3), (3, 40, 6, 33), (1, 60, 9, 1)]
"""Batch, steps, inputs, units."""
KINDS = ("gru", "lstm")
TOLERANCE, OF_SUMS = 1e-6, 5e-6
"""Of the largest number: states and the signal's gradient; gradients of start and parameters, sums that cancel."""


def inputs(kind: str, shape: tuple[int, int, int, int], dtype: torch.dtype = torch.float32) -> list[Tensor]:
    """Return a driven signal, the first state (and cell), recurrent weight and bias; larger weights were chaotic."""
    batch, steps, _, units = shape
    generator = torch.Generator().manual_seed(sum(shape))
    gates = {"gru": 3, "lstm": 4}[kind] * units
    sizes = [(batch, steps, gates), *[(batch, units)] * (1 + (kind == "lstm")), (gates, units), (gates,)]
    drawn = [torch.randn(size, generator=generator) for size in sizes]
    drawn[-2] /= units**0.5
    return [one.to(dtype) for one in drawn]


def steps_of(kind: str, given: Sequence[Tensor]) -> tuple[Tensor, ...]:
    if kind == "gru":
        driven, state, weight, bias = given
        return (gru_steps(driven, state, weight, bias),)
    driven, state, cell, weight, bias = given
    return lstm_steps(driven, (state, cell), weight, bias)


def weighted(outputs: Sequence[Tensor]) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.stack([(one * torch.randn(one.shape, generator=generator)).sum() for one in outputs]).sum()


def run(kind: str, path: str, given: Sequence[Tensor], learned: Sequence[int]) -> tuple[list[Tensor], list]:
    leaves = [one.clone().requires_grad_(place in learned) for place, one in enumerate(given)]
    with using_kernels(path), kernels_taken() as taken:
        outputs = steps_of(kind, leaves)
        if learned:
            weighted(outputs).backward()
    assert taken.paths == {kind: {path}}
    return [one.detach() for one in outputs], [leaf.grad for leaf in leaves]


def assert_alike(one: Tensor, other: Tensor, tolerance: float = TOLERANCE) -> None:
    assert one.shape == other.shape
    if other.numel():
        assert float((one - other).abs().max()) <= tolerance * max(float(other.abs().max()), 1e-3)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_both_forms_give_the_same_numbers(kind: str, shape: tuple[int, int, int, int]) -> None:
    given = inputs(kind, shape)
    everything = range(len(given))
    (outputs, grads), (expected, wanted) = run(kind, "numba", given, everything), run(kind, "torch", given, everything)
    for mine, theirs in zip([*outputs, grads[0]], [*expected, wanted[0]], strict=True):
        assert_alike(mine, theirs)
    for mine, theirs in zip(grads[1:], wanted[1:], strict=True):
        assert_alike(mine, theirs, OF_SUMS)
    again, grads_again = run(kind, "numba", given, everything)
    assert all(map(torch.equal, [*outputs, *grads], [*again, *grads_again]))


@pytest.mark.parametrize("kind", KINDS)
def test_the_reference_has_the_gradients_of_finite_differences(kind: str) -> None:
    leaves = [one.requires_grad_() for one in inputs(kind, (2, 5, 0, 3), torch.float64)]
    assert torch.autograd.gradcheck(lambda *given: steps_of(kind, given), leaves)


@pytest.mark.parametrize("path", ["numba", "torch"])
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_come_only_where_they_are_wanted(kind: str, path: str) -> None:
    given = inputs(kind, SHAPES[0])
    _, wanted = run(kind, path, given, range(len(given)))
    for learned in ((0,), (1,), (len(given) - 2,), (len(given) - 1,)):
        _, grads = run(kind, path, given, learned)
        assert [grad is not None for grad in grads] == [place in learned for place in range(len(given))]
        assert torch.equal(grads[learned[0]], wanted[learned[0]])
    outputs, _ = run(kind, path, given, ())
    with torch.no_grad():
        assert all(map(torch.equal, outputs, run(kind, path, given, ())[0]))
    leaf = given[0].clone().requires_grad_()
    with using_kernels(path):
        first = torch.autograd.grad(weighted(steps_of(kind, [leaf, *given[1:]])), leaf, create_graph=True)[0]
    with pytest.raises(RuntimeError):
        torch.autograd.grad(first.sum(), leaf)


@pytest.mark.parametrize("kind", KINDS)
def test_signals_need_not_be_contiguous(kind: str) -> None:
    given = inputs(kind, SHAPES[0])
    turned = [one.transpose(0, -1).contiguous().transpose(0, -1) for one in given]
    assert not turned[0].is_contiguous()
    for path in ("numba", "torch"):
        outputs, grads = run(kind, path, given, range(len(given)))
        others, other_grads = run(kind, path, turned, range(len(given)))
        assert all(map(torch.equal, [*outputs, *grads], [*others, *other_grads]))


def layers(kind: str, inputs: int, units: int) -> tuple[nn.Module, nn.Module]:
    """Return ours and torch's, with the same weights by one state dict."""
    torch.manual_seed(0)
    mine, theirs = {"gru": (GRU, nn.GRU), "lstm": (LSTM, nn.LSTM)}[kind]
    ours, reference = mine(inputs, units), theirs(inputs, units, batch_first=True)
    reference.load_state_dict(ours.state_dict())
    return ours, reference


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape[0]])
@pytest.mark.parametrize("kind", KINDS)
def test_layers_are_torchs(kind: str, shape: tuple[int, int, int, int]) -> None:
    batch, steps, channels, units = shape
    ours, reference = layers(kind, channels, units)
    signal, state = torch.randn(batch, steps, channels), torch.randn(2, 1, batch, units).tanh()
    for hx in (None, state[0] if kind == "gru" else (state[0], state[1])):
        found = []
        for layer in (ours, reference):
            leaf = signal.clone().requires_grad_()
            layer.zero_grad()
            with torch.backends.mkldnn.flags(enabled=layer is reference), kernels_taken() as taken:
                states, last = layer(leaf, hx)
            outputs = [states, *([last] if kind == "gru" else last)]
            weighted(outputs).backward()
            found.append([*outputs, leaf.grad, *(parameter.grad for parameter in layer.parameters())])
            assert taken.paths == ({kind: {"numba"}} if layer is ours else {})
        for place, (mine, theirs) in enumerate(zip(*found, strict=True)):
            assert_alike(mine.detach(), theirs.detach(), TOLERANCE if place <= len(outputs) else OF_SUMS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_state_is_handed_on(kind: str) -> None:
    """A window in two parts, the state of the first handed to the second, has the bits of the whole."""
    ours, _ = layers(kind, 5, 7)
    signal = torch.randn(3, 20, 5)
    with torch.no_grad(), torch.backends.mkldnn.flags(enabled=False):
        whole, last = ours(signal)
        first, state = ours(signal[:, :12])
        second, end = ours(signal[:, 12:], state)
    assert_alike(torch.cat((first, second), dim=1), whole)
    for mine, theirs in zip([end] if kind == "gru" else end, [last] if kind == "gru" else last, strict=True):
        assert_alike(mine, theirs)


@pytest.mark.parametrize("kind", KINDS)
def test_torchs_layer_runs_where_numba_does_not(kind: str) -> None:
    ours, reference = layers(kind, 5, 7)
    signal = torch.randn(3, 4, 5)

    class Followed(TorchDispatchMode):
        def __init__(self) -> None:
            super().__init__()
            self.names: list[str] = []

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            self.names.append(func.overloadpacket.__name__)
            return func(*args, **(kwargs or {}))

    with torch.backends.mkldnn.flags(enabled=False):
        with using_kernels("torch"):
            assert torch.equal(ours(signal)[0], reference(signal)[0])
        with torch.inference_mode(), Followed() as followed:
            assert torch.equal(ours(signal)[0], reference(signal)[0])
        assert followed.names
        assert torch.equal(ours.double()(signal.double())[0], reference.double()(signal.double())[0])
        with pytest.raises(RuntimeError, match="Expected hidden"):
            ours.float()(signal, torch.zeros(1, 2, 7) if kind == "gru" else (torch.zeros(1, 2, 7),) * 2)
        with pytest.raises(RuntimeError):
            ours(torch.zeros(2, 3, 6))


def test_a_window_of_a_student() -> None:
    torch.manual_seed(0)
    layer = Recurrent("gru", 6, 4)
    signal = torch.randn(2, 6, 9)
    with kernels_taken() as taken:
        states = layer(signal)
    assert states.shape == (2, 4, 9)
    assert taken.summary().endswith(": gru")
    with using_kernels("torch"):
        assert_alike(states.detach(), layer(signal).detach())
