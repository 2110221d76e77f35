"""Weights that are views of one another, share memory, or change it: each is counted as the numbers it holds."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from counting_oracle import linear
from small_networks import Applied, weights
from test_observe_products import added, seen, signal, sites
from torch import Tensor, nn
from torch.nn import functional

from energy_models.workload import Workload


def products(workload: Workload) -> tuple[tuple[int, int], ...]:
    return added([sites(layer) for layer in workload.layers if layer.products])


def with_zeros(*shape: int) -> Tensor:
    """Rows and columns of unequal numbers of zeros."""
    return weights(*shape) * (torch.arange(weights(*shape).numel()).reshape(shape) % 7 > 2)


def every_product(*pairs: tuple[Tensor, Tensor]) -> tuple[tuple[int, int], ...]:
    """Sites of ``signal @ weight.T``, each multiplication looked at."""
    return added([linear(one.numpy(), weight.detach().numpy()).as_tuple() for one, weight in pairs])


@pytest.mark.parametrize("shape", [(5, 8), (8, 8)])
def test_a_weight_read_forth_and_transposed_back(shape: tuple[int, int]) -> None:
    table, inputs = with_zeros(*shape), signal(1, 4, 8)
    model = Applied(lambda x, w: functional.linear(functional.linear(x, w).relu(), w.t()), table)
    found = seen(model, inputs)
    between = functional.linear(inputs, table).relu()
    assert products(found) == every_product((inputs, table), (between, table.T))
    assert found.weight_bits_total == 32 * table.numel()


def test_parts_of_a_weight_that_begin_at_one_place() -> None:
    table, inputs = with_zeros(8, 8), signal(2, 4, 8)
    model = Applied(lambda x, w: functional.linear(x, w[:3]).sum(1) + functional.linear(x, w[:5]).sum(1), table)
    found = seen(model, inputs)
    assert products(found) == every_product((inputs, table[:3]), (inputs, table[:5]))
    stored = {layer.weights: layer.weights_nonzero for layer in found.layers if layer.weights}
    assert stored == {24: int(table[:3].count_nonzero()), 40: int(table[:5].count_nonzero())}


def test_parameters_of_one_flat_vector_are_two_layers() -> None:
    torch.manual_seed(0)
    one, other = nn.Linear(8, 8, bias=False), nn.Linear(8, 8, bias=False)
    model = nn.Sequential(one, other)
    with torch.no_grad():
        one.weight.copy_(with_zeros(8, 8))
    flat = nn.utils.parameters_to_vector(model.parameters()).detach().clone()
    nn.utils.vector_to_parameters(flat, model.parameters())
    inputs = signal(3, 4, 8)
    found = seen(model, inputs)
    assert [(layer.name, layer.weights_key) for layer in found.layers] == [("0", "0.weight"), ("1", "1.weight")]
    assert found.weight_bits_total == 2 * 64 * 32
    first, second = one.weight, other.weight
    assert products(found) == every_product((inputs, first), (functional.linear(inputs, first).detach(), second))


def test_numbers_given_to_a_weight_between_its_calls() -> None:
    def masked_three_times(x: Tensor, layer: nn.Linear) -> Tensor:
        kept, out = layer.weight.data, torch.zeros(())
        for every in (2, 3, 4):
            layer.weight.data = kept * (torch.arange(8) % every == 0)
            out = out + layer(x)
        layer.weight.data = kept
        return out

    layer, inputs = nn.Linear(8, 3, bias=False), signal(4, 4, 8)
    masked = [layer.weight.detach() * (torch.arange(8) % every == 0) for every in (2, 3, 4)]
    found = seen(Applied(masked_three_times, layer), inputs)
    assert products(found) == every_product(*((inputs, weight) for weight in masked))


def test_memory_a_model_gave_up_is_taken_for_no_weight() -> None:
    class Renormed(nn.Module):
        """Max-norm written as its papers do: the parameter is given new memory in every call."""

        def __init__(self) -> None:
            super().__init__()
            self.linear = [nn.Linear(64, 64, bias=False) for _ in range(4)]
            self.layers = nn.ModuleList(self.linear)

        def forward(self, x: Tensor) -> Tensor:
            for layer in self.linear:
                layer.weight.data = torch.renorm(layer.weight.data, 2, 0, 0.5)
                x = functional.linear(x, layer.weight)
            return x

    torch.manual_seed(0)
    model = Renormed()
    with torch.no_grad():
        for place, layer in enumerate(model.linear):
            layer.weight.mul_(torch.rand(64, 64) < 0.2 * (place + 1))
    inputs = signal(5, 2, 64)
    tables = [torch.renorm(layer.weight.detach(), 2, 0, 0.5) for layer in model.linear]
    pairs, x = [], inputs
    for table in tables:
        pairs.append((x, table))
        x = functional.linear(x, table)
    found = seen(model, inputs)
    assert products(found) == every_product(*pairs)
    assert [layer.weights_nonzero for layer in found.layers] == [int(table.count_nonzero()) for table in tables]


def test_constants_made_anew_are_told_apart_by_their_numbers() -> None:
    def twice(x: Tensor, first: Tensor, second: Tensor) -> Tensor:
        for _ in range(2):
            x = functional.linear(functional.linear(x, first * 2.0), second * 0.5)
        return x

    found = seen(Applied(twice, with_zeros(8, 8), weights(8, 8)), signal(10, 2, 8))
    assert [(layer.calls, layer.weights_nonzero) for layer in found.layers] == [
        (2, int(with_zeros(8, 8).count_nonzero())),
        (2, 64),
    ]
    assert found.weight_bits_total == 2 * 64 * 32


def test_attention_of_other_queries_than_values_stores_three_projections() -> None:
    class Positioned(nn.Module):
        """Positions are added to queries and keys only, so torch makes the three projections one by one."""

        def __init__(self) -> None:
            super().__init__()
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            return self.attention(x * 2, x * 2, x, need_weights=False)[0]

    found = seen(Positioned(), signal(11, 2, 6, 8))
    # Three projections and the output's: 4 x (8 x 8 weights, 8 biases), 32 bits each.
    assert found.weight_bits_total == 4 * (64 + 8) * 32


COPIES: list[Callable[[Tensor, Tensor], Tensor]] = [
    lambda x, w: torch.bmm(x, w.expand(len(x), -1, -1)),
    lambda x, w: torch.bmm(x, w.unsqueeze(0).repeat(len(x), 1, 1)),
    lambda x, w: (x.unsqueeze(1) @ w.expand(len(x), 1, -1, -1)).squeeze(1),
    lambda x, w: torch.bmm(w.T.expand(len(x), -1, -1), x.mT).mT,
]


@pytest.mark.parametrize("multiply", COPIES)
@pytest.mark.parametrize("examples", [1, 3])
def test_a_matrix_copied_for_each_example_is_stored_once(
    multiply: Callable[[Tensor, Tensor], Tensor], examples: int
) -> None:
    table, inputs = with_zeros(8, 3), signal(6, examples, 6, 8)
    found = seen(Applied(multiply, table), inputs)
    (layer,) = found.layers
    assert found.complete
    assert (layer.weights, layer.weights_nonzero) == (24, int(table.count_nonzero()))
    assert products(found) == every_product(*((one, table.T) for one in inputs))


def test_heads_copied_for_each_example_are_stored_once_a_head() -> None:
    heads = with_zeros(2, 8, 3)

    def multiply(x: Tensor, w: Tensor) -> Tensor:
        twice = x.unsqueeze(1).expand(-1, 2, -1, -1).reshape(-1, *x.shape[1:])
        return (twice @ w.repeat(len(x), 1, 1)).unflatten(0, (len(x), 2))

    (layer,) = seen(Applied(multiply, heads), signal(7, 3, 6, 8)).layers
    assert (layer.weights, layer.weights_nonzero) == (48, int(heads.count_nonzero()))


def test_another_constant_for_each_example_of_a_batch_is_listed() -> None:
    found = seen(Applied(lambda x, w: torch.bmm(x, w[: len(x)]), weights(4, 8, 3)), signal(8, 4, 6, 8))
    assert [one.operation for one in found.uncounted] == ["batch"]
