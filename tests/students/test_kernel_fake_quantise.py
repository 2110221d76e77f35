"""Fake quantisation: both forms against Brevitas's integer quantiser, bit by bit."""

from __future__ import annotations

import brevitas.function.ops as brevitas_ops
import numpy as np
import pytest
import torch
from brevitas.core.function_wrapper import Identity
from brevitas.core.quant import IntQuant
from torch import Tensor

from students.kernels import kernels_taken, using_kernels
from students.kernels.choice import KernelPath
from students.kernels.fake_quantise import fake_quantise

FORMS: tuple[KernelPath, ...] = ("numba", "torch")
SHAPES = [(), (1,), (7,), (0, 3), (5, 33), (16, 1, 64), (3, 4, 250)]
GRIDS = [(True, True, 2), (True, True, 4), (True, False, 8), (False, False, 1), (False, False, 4)]


def same_bits(found: Tensor, expected: Tensor) -> bool:
    return found.shape == expected.shape and found.dtype == expected.dtype and torch.equal(
        found.detach().contiguous().view(torch.int32), expected.detach().contiguous().view(torch.int32)
    )  # fmt: skip


def ends(signed: bool, narrow: bool, bits: int) -> tuple[float, float]:
    width = torch.tensor(float(bits))
    low, high = brevitas_ops.min_int(signed, narrow, width), brevitas_ops.max_int(signed, narrow, width)
    return float(low), float(high)


def scales(shape: tuple[int, ...], per: str, kind: str) -> Tensor:
    wanted = (shape[0], *[1] * (len(shape) - 1)) if per == "channel" and shape else ()
    drawn = torch.rand(wanted, generator=torch.Generator().manual_seed(3)) * 0.4 + 0.05
    return 2.0 ** drawn.log2().round() if kind == "power of two" else drawn


def with_gradients(run: object, signal: Tensor, scale: Tensor, upstream: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    signal, scale = signal.detach().clone().requires_grad_(), scale.detach().clone().requires_grad_()
    values = run(signal, scale)  # type: ignore[operator]
    of_signal, of_scale = torch.autograd.grad(values, (signal, scale), upstream)
    return values.detach(), of_signal, of_scale


def brevitas_form(grid: tuple[bool, bool, int]) -> object:
    signed, narrow, bits = grid
    quantiser = IntQuant(narrow_range=narrow, signed=signed, input_view_impl=Identity())
    zero, width = torch.tensor(0.0), torch.tensor(float(bits))
    return lambda signal, scale: quantiser(scale, zero, width, signal)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("per", ["tensor", "channel"])
@pytest.mark.parametrize("kind", ["power of two", "float"])
def test_values_and_signal_gradients_have_brevitas_bits(
    form: KernelPath, grid: tuple[bool, bool, int], per: str, kind: str
) -> None:
    generator = torch.Generator().manual_seed(5)
    for shape in SHAPES:
        signal, upstream = (torch.randn(shape, generator=generator) for _ in range(2))
        scale = scales(shape, per, kind)
        expected = with_gradients(brevitas_form(grid), signal, scale, upstream)
        with using_kernels(form), kernels_taken() as taken:
            found = with_gradients(lambda x, s: fake_quantise(x, s, *ends(*grid)), signal, scale, upstream)
        assert taken.paths == {"fake quantisation": {form}}
        assert same_bits(found[0], expected[0])
        assert same_bits(found[1], expected[1])
        torch.testing.assert_close(found[2], expected[2], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("form", FORMS)
def test_halves_ends_zeros_and_no_numbers(form: KernelPath) -> None:
    """Scale 1/2, levels -3..3: 0.25 is half a step and goes to the even 0, 0.75 to 2; beyond the ends no gradient."""
    signal = torch.tensor([0.25, 0.75, -0.25, -0.0, 1.5, 1.75, 1.8, -9.0, float("nan"), float("inf")])
    expected = with_gradients(brevitas_form((True, True, 3)), signal, torch.tensor(0.5), torch.ones(10))
    with using_kernels(form):
        values, of_signal, of_scale = with_gradients(
            lambda x, s: fake_quantise(x, s, -3, 3), signal, torch.tensor(0.5), torch.ones(10)
        )
    assert values[:8].tolist() == [0.0, 1.0, 0.0, 0.0, 1.5, 1.5, 1.5, -1.5]
    assert of_signal[:8].tolist() == [1, 1, 1, 1, 1, 0, 0, 0]
    assert same_bits(values, expected[0])
    assert same_bits(of_signal, expected[1])
    assert of_scale.isnan()
    with using_kernels(form):
        *_, of_scale = with_gradients(
            lambda x, s: fake_quantise(x, s, -3, 3), signal[:8], torch.tensor(0.5), torch.ones(8)
        )
    # n - x / s: -.5, .5, .5, 0, 0; then n of the clipped: 3 (1.75 / .5 = 3.5 rounds to 4), 3 (1.8 / .5 = 3.6), -3
    assert of_scale == pytest.approx(3.5)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("grid", [(True, True, 4), (False, False, 4)])
def test_the_scale_gradient_is_at_least_as_close_to_double_precision(
    form: KernelPath, grid: tuple[bool, bool, int]
) -> None:
    off: dict[str, list[float]] = {"ours": [], "brevitas": []}
    generator = torch.Generator().manual_seed(11)
    for _ in range(12):
        signal, upstream = (torch.randn(64, 16, 250, generator=generator) for _ in range(2))
        scale = torch.rand((), generator=generator) * 0.2 + 0.1
        rounded = (signal / scale).round()  # the levels of single precision, so that no tie decides otherwise
        inside = (rounded >= ends(*grid)[0]) & (rounded <= ends(*grid)[1])
        ratio = signal.double() / scale.double()
        exact = (upstream.double() * (rounded.double().clamp(*ends(*grid)) - ratio * inside)).sum()
        *_, theirs = with_gradients(brevitas_form(grid), signal, scale, upstream)
        with using_kernels(form):
            *_, ours = with_gradients(lambda x, s: fake_quantise(x, s, *ends(*grid)), signal, scale, upstream)
        off["ours"].append(float((ours - exact).abs()))
        off["brevitas"].append(float((theirs - exact).abs()))
    assert np.mean(off["ours"]) <= np.mean(off["brevitas"])
    assert np.max(off["ours"]) <= np.max(off["brevitas"])


@pytest.mark.parametrize("form", FORMS)
def test_strided_signals_part_gradients_and_one_backward_only(form: KernelPath) -> None:
    signal = torch.randn(6, 9, generator=torch.Generator().manual_seed(0)).t()
    scale = torch.tensor(0.3, requires_grad=True)
    with using_kernels(form):
        assert same_bits(fake_quantise(signal, scale, -7, 7), fake_quantise(signal.contiguous(), scale, -7, 7))
        only = signal.detach().requires_grad_()
        (found,) = torch.autograd.grad(fake_quantise(only, scale.detach(), -7, 7).sum(), only)
        assert found.shape == signal.shape
        values = fake_quantise(signal, scale, -7, 7)
        upstream = torch.ones_like(values, requires_grad=True)
        (again,) = torch.autograd.grad(values, scale, upstream, retain_graph=True)
        (twice,) = torch.autograd.grad(values, scale, upstream, create_graph=True)
        assert same_bits(again, twice)
        with pytest.raises(RuntimeError, match="once_differentiable"):
            twice.backward()
        with torch.no_grad():
            assert not fake_quantise(signal, scale, -7, 7).requires_grad


def test_other_types_and_scales_along_other_axes_run_in_torch() -> None:
    signal, scale = torch.randn(4, 5, 6), torch.rand(1, 5, 1) + 0.1
    with kernels_taken() as taken:
        values = fake_quantise(signal, scale, -7, 7)
        double = fake_quantise(signal.double(), scale.double(), -7, 7)
    assert "numba" not in taken.paths.get("fake quantisation", set())
    torch.testing.assert_close(values.double(), double, rtol=1e-6, atol=1e-6)
