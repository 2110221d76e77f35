"""Average pools, and batch norm with ReLU and pool in one: compiled loops against torch's own layers."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from students.kernels import kernels_taken, using_kernels
from students.kernels.norm_pool import LevelGrid, Pool, average_pool, norm_relu_pool

CLOSE = {"rtol": 1e-6, "atol": 1e-6}
CASES = [
    ((4, 3, 20), Pool(4, 4)), ((64, 16, 250), Pool(8, 8)), ((3, 5, 98), Pool(38, 8)), ((2, 3, 7), Pool(2, 5)),
    ((2, 1, 1), Pool(1, 1)), ((1, 4, 33), Pool(3, 1)), ((5, 2, 16), Pool(16, 16)),
]  # fmt: skip


def drawn(shape: tuple[int, ...], seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("shape", "pool"), CASES)
def test_a_pool_has_the_bits_of_torch(shape: tuple[int, int, int], pool: Pool) -> None:
    ours, theirs = drawn(shape).requires_grad_(), drawn(shape).requires_grad_()
    with using_kernels("numba"), kernels_taken() as taken:
        means = average_pool(ours, pool)
    expected = functional.avg_pool1d(theirs, pool.kernel, pool.stride)
    upstream = drawn(tuple(means.shape), 1)
    means.backward(upstream)
    expected.backward(upstream)
    assert taken.paths == {"average pool": {"numba"}}
    assert torch.equal(means.view(torch.int32), expected.view(torch.int32))
    assert ours.grad is not None
    assert theirs.grad is not None
    assert torch.equal(ours.grad, theirs.grad)


def test_a_pool_of_strided_and_of_no_signals() -> None:
    signal = drawn((4, 20, 3)).transpose(1, 2)
    with using_kernels("numba"):
        assert torch.equal(average_pool(signal, Pool(4, 4)), functional.avg_pool1d(signal, 4, 4))
        assert average_pool(torch.empty(0, 3, 20), Pool(4, 4)).shape == (0, 3, 5)
        with pytest.raises(RuntimeError):
            average_pool(drawn((2, 3, 3)), Pool(4, 4))


def norms(channels: int, momentum: float | None, bias: float) -> tuple[nn.BatchNorm1d, nn.BatchNorm1d]:
    norm = nn.BatchNorm1d(channels, momentum=momentum)
    with torch.no_grad():
        norm.weight.copy_(1 + 0.3 * drawn((channels,), 7))
        norm.bias.copy_(bias + 0.3 * drawn((channels,), 8))
    return norm, copy.deepcopy(norm)


def both(
    signal: Tensor, pool: Pool, highest: float | None, momentum: float | None = 0.1, bias: float = 0.0
) -> tuple[list[Tensor], list[Tensor]]:
    """Return values, running statistics and gradients of both forms."""
    found: list[list[Tensor]] = []
    for form, norm in zip(("numba", "torch"), norms(signal.shape[1], momentum, bias), strict=True):
        given, scale = signal.detach().clone().requires_grad_(), torch.tensor(0.21, requires_grad=True)
        with using_kernels(form), kernels_taken() as taken:
            means = norm_relu_pool(given, norm, pool, None if highest is None else LevelGrid(scale, highest))
        assert taken.paths["norm, ReLU and pool"] == {form}
        sources = [given, norm.weight, norm.bias, *([] if highest is None else [scale])]
        of_sources = torch.autograd.grad(means, sources, drawn(tuple(means.shape), 2))
        assert norm.running_mean is not None
        assert norm.running_var is not None
        assert norm.num_batches_tracked is not None
        statistics = [norm.running_mean, norm.running_var, norm.num_batches_tracked]
        found.append([means.detach(), *statistics, *of_sources])
    return found[0], found[1]


@pytest.mark.parametrize(("shape", "pool"), [case for case in CASES if case[0] != (2, 1, 1)])
@pytest.mark.parametrize("offset", [0.0, 50.0])
def test_the_fused_form_is_torch_layers_within_rounding(
    shape: tuple[int, int, int], pool: Pool, offset: float
) -> None:
    # An offset of 50 deviations costs both forms six bits of every difference from the mean; the ReLU is open then,
    # so that no rounding decides on which side of zero a value is.
    ours, theirs = both(drawn(shape) + offset, pool, None, bias=offset / 5)
    for found, expected in zip(ours, theirs, strict=True):
        bound = 1e-6 * (1 + offset) * max(1.0, float(expected.abs().max()))
        assert float((found - expected).abs().max()) <= bound


@pytest.mark.parametrize("highest", [1.0, 15.0])
def test_with_a_grid_the_values_are_the_same_levels(highest: float) -> None:
    ours, theirs = both(drawn((8, 4, 100)), Pool(4, 4), highest)
    assert torch.equal(ours[0], theirs[0])
    for found, expected in zip(ours, theirs, strict=True):
        assert float((found - expected).abs().max()) <= 2e-6 * max(1.0, float(expected.abs().max()))


def test_a_cumulative_average_and_a_norm_without_statistics() -> None:
    ours, theirs = both(drawn((6, 3, 24)), Pool(2, 2), None, momentum=None)
    torch.testing.assert_close(ours[1:3], theirs[1:3], **CLOSE)
    bare = nn.BatchNorm1d(3, track_running_stats=False)
    with using_kernels("numba"):
        found = norm_relu_pool(drawn((6, 3, 24)), bare, Pool(2, 2))
    expected = functional.avg_pool1d(functional.relu(bare(drawn((6, 3, 24)))), 2, 2)
    torch.testing.assert_close(found, expected, **CLOSE)


def test_the_reference_has_the_gradients_of_finite_differences() -> None:
    norm = nn.BatchNorm1d(3).double()

    def run(signal: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        parameters = {"norm.weight": weight, "norm.bias": bias}
        return torch.func.functional_call(_Fused(norm), parameters, signal)

    inputs = [drawn((4, 3, 10)), drawn((3,), 1), drawn((3,), 2)]
    assert torch.autograd.gradcheck(run, [one.double().requires_grad_() for one in inputs])


class _Fused(nn.Module):
    def __init__(self, norm: nn.BatchNorm1d) -> None:
        super().__init__()
        self.norm = norm

    def forward(self, signal: Tensor) -> Tensor:
        return norm_relu_pool(signal, self.norm, Pool(3, 2))


def test_one_value_a_channel_is_refused_as_torch_does_and_one_backward_only() -> None:
    with using_kernels("numba"):
        with pytest.raises(ValueError, match="more than 1 value"):
            norm_relu_pool(drawn((1, 3, 1)), nn.BatchNorm1d(3), Pool(1, 1))
        norm, signal = nn.BatchNorm1d(3), drawn((2, 3, 8)).requires_grad_()
        means = norm_relu_pool(signal, norm, Pool(2, 2))
        upstream = torch.ones_like(means, requires_grad=True)
        (first,) = torch.autograd.grad(means, signal, upstream, create_graph=True)
        with pytest.raises(RuntimeError, match="once_differentiable"):
            first.sum().backward()
        repeated = norm_relu_pool(signal, nn.BatchNorm1d(3), Pool(2, 2))
        assert torch.equal(repeated, means)
