"""Models that decide by numbers, or take numbers out of the tensors: counted exactly or listed; no branch is reused."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from small_networks import Applied
from test_observe_products import seen, signal
from torch import Tensor, nn

from energy_models.workload import Workload

UNEVEN = "the number of calls differs from decode to decode"


def short_and_long() -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(0)
    return nn.Linear(6, 2), nn.Sequential(nn.Linear(6, 4), nn.Linear(4, 2))


def dense(workload: Workload) -> int:
    return sum(layer.products.dense_full.total for layer in workload.layers if layer.products)


def by_truth(x: Tensor, short: nn.Module, long: nn.Module) -> Tensor:
    return short(x) if x.sum() > 0 else long(x)


def by_item(x: Tensor, short: nn.Module, long: nn.Module) -> Tensor:
    return short(x) if x.sum().item() > 0 else long(x)


def each_by_itself(x: Tensor, short: nn.Module, long: nn.Module) -> Tensor:
    return torch.stack([short(one) if one.sum() > 0 else long(one) for one in x])


@pytest.mark.parametrize("decide", [by_truth, by_item, each_by_itself])
@pytest.mark.parametrize("batch_size", [1, 4])
def test_every_decode_takes_its_own_branch(decide: Callable[..., Tensor], batch_size: int) -> None:
    model = Applied(decide, *short_and_long())
    x = torch.ones(4, 6)
    x[[0, 2, 3]] = -1
    found = seen(model, x, batch_size=batch_size)
    # Once 2 x 6, three times 4 x 6 + 2 x 4; and every decode one sum of 6 and one decision.
    assert dense(found) == 12 + 3 * 32
    compares = sum(layer.operations["compare"].total for layer in found.layers if "compare" in layer.operations)
    assert compares == 4
    # The totals are right; but no one number of calls is, so the layers are listed.
    assert {gap.layer for gap in found.uncounted} == {"modules_in.0", "modules_in.1.0", "modules_in.1.1"}
    assert {gap.reason for gap in found.uncounted} == {UNEVEN}


@pytest.mark.parametrize("decide", [by_truth, by_item])
def test_decodes_that_decide_alike_are_complete(decide: Callable[..., Tensor]) -> None:
    model = Applied(decide, *short_and_long())
    for sign, products in ((1, 12), (-1, 32)):
        found = seen(model, torch.full((3, 6), 1.0 * sign))
        assert found.complete
        assert dense(found) == 3 * products


def test_a_layer_that_works_in_some_decodes_only_is_listed() -> None:
    def maybe(x: Tensor, layer: nn.Module) -> Tensor:
        return layer(x) if x.sum() > 0 else x

    for signs in ((1, -1, -1), (-1, -1, 1)):
        found = seen(Applied(maybe, nn.Linear(6, 6)), torch.tensor(signs).float().unsqueeze(1).expand(3, 6))
        assert dense(found) == 36
        assert [(gap.layer, gap.reason) for gap in found.uncounted] == [("modules_in.0", UNEVEN)]


def test_a_loop_until_the_numbers_allow() -> None:
    def shrink(x: Tensor, layer: nn.Module) -> Tensor:
        while x.abs().max() > 1:
            x = 0.5 * x
        return layer(x)

    model = Applied(shrink, nn.Linear(6, 2))
    found = seen(model, torch.full((2, 6), 8.0))
    assert found.complete
    # 8, 4, 2, 1: halved three times, looked at four times.
    work = {layer.name: layer for layer in found.layers}
    assert work["mul"].operations["multiply"].mean == 18
    assert work["gt"].operations["compare"].mean == 4


def test_a_threshold_inside_a_stream_is_seen_in_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first branch taken is no guide to the next: layers are replayed, their order never is."""

    def steps(x: Tensor, short: nn.Module, long: nn.Module) -> Tensor:
        return torch.stack([(short if bool(now.sum() > 0) else long)(now) for now in x.unbind(-1)], dim=-1)

    x = torch.ones(1, 6, 50)
    x[..., 1::5] = -1
    found = seen(Applied(steps, *short_and_long()), x)
    assert found.complete
    assert dense(found) == 40 * 12 + 10 * 32


def squared(x: Tensor) -> Tensor:
    return torch.tensor([[x.sum().item() ** 2]])


def scaled(x: Tensor, layer: nn.Linear) -> Tensor:
    return nn.functional.linear(x, layer.weight * x.sum().item())


LEAVES: list[tuple[Callable[..., Any], str]] = [
    (lambda x: x * float(x.sum()), "float"),
    (lambda x: x * x.sum().item(), "item"),
    (lambda x: x.add(x, alpha=x.sum().item()), "item"),
    (lambda x: x if x.sum().item() + 1 > 0 else -x, "item"),
    (lambda x: x[:, : int(x.sum() > 0) + 1], "int"),
    (lambda x: torch.full((1, 1), x.sum().item()) + x, "item"),
    (lambda x: torch.from_numpy(x.numpy() * 2), "numpy"),
    (lambda x: torch.from_numpy(np.asarray(x) * 2), "numpy"),
    (lambda x: torch.tensor(x.tolist()), "tolist"),
    (squared, "item"),
    (lambda x: x * math.sqrt(abs(float(x.shape[1]))) if math.sqrt(x.abs().sum().item()) > 1 else x, "item"),
    (lambda x: x * math.sqrt(x.abs().sum().item()), "item"),
    (lambda x: x * (2.0, 3.0, 4.0)[x.argmax()], "item"),
]


@pytest.mark.parametrize(("apply", "operation"), LEAVES)
def test_numbers_that_leave_the_tensors_and_are_calculated_with_are_listed(
    apply: Callable[..., Any], operation: str
) -> None:
    found = seen(Applied(apply), torch.full((1, 3), 0.37))
    assert operation in [gap.operation for gap in found.uncounted]


def test_weights_scaled_by_a_number_of_the_input_are_not_free() -> None:
    assert not seen(Applied(scaled, nn.Linear(6, 2)), signal(1, 1, 2, 6)).complete


def test_numbers_of_a_shape_or_a_weight_may_leave() -> None:
    def crop(x: Tensor, layer: nn.Linear) -> Tensor:
        return layer(x[:, : int(x.shape[1])]) * float(layer.weight.detach().abs().max())

    assert seen(Applied(crop, nn.Linear(6, 2)), signal(1, 3, 6)).complete


def test_a_loop_as_long_as_the_input_says() -> None:
    def repeat(x: Tensor) -> Tensor:
        for _ in range((x > 0).sum().item()):
            x = 0.5 * x
        return x

    found = seen(Applied(repeat), torch.tensor([[1.0, -1.0, 1.0]]))
    assert found.complete
    assert {layer.name: layer for layer in found.layers}["mul"].operations["multiply"].mean == 6


def test_torch_is_as_it_was_afterwards() -> None:
    before = {name: getattr(Tensor, name) for name in ("item", "numpy", "tolist", "__float__", "__int__")}
    seen(nn.Linear(6, 2), torch.ones(1, 6))
    assert all(getattr(Tensor, name) is method for name, method in before.items())
    assert type(torch.ones(1).item()) is float


def test_equality_of_whole_tensors_is_one_compare_an_element() -> None:
    found = seen(Applied(lambda x: x if torch.equal(x, 2 * x) else x + 1), signal(1, 3, 2, 5))
    assert found.complete
    assert {layer.name: dict(layer.operations) for layer in found.layers}["equal"]["compare"].mean == 10


def no_grad(x: Tensor, layer: nn.Module) -> Tensor:
    with torch.no_grad():
        return layer(x)


def inference(x: Tensor, layer: nn.Module) -> Tensor:
    with torch.inference_mode():
        return layer(x)


def gradients(x: Tensor, layer: nn.Module) -> Tensor:
    with torch.inference_mode(False), torch.enable_grad():
        return layer(x.clone())


@pytest.mark.parametrize("apply", [no_grad, inference, gradients])
def test_a_models_own_grad_modes_hide_nothing(apply: Callable[..., Tensor]) -> None:
    torch.manual_seed(0)
    layer, x = nn.Linear(6, 2), signal(1, 3, 6)
    plain = seen(Applied(lambda x, layer: layer(x), layer), x)
    assert seen(Applied(apply, layer), x).layers == plain.layers


def test_autocast_is_counted_at_the_width_it_computes_in() -> None:
    def half(x: Tensor, layer: nn.Module) -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return layer(x)

    found = seen(Applied(half, nn.Linear(6, 2)), torch.randn(3, 6))
    (layer,) = found.layers
    assert found.complete
    assert layer.products is not None
    assert layer.products.dense_full.mean == 12
    assert (layer.weight_bits, layer.activation_bits, layer.weights) == (16, 16, 12)


def test_examples_that_depend_on_each_other_are_listed() -> None:
    found = seen(Applied(lambda x: x - x.mean(0)), torch.randn(4, 6))
    assert ("batch", "its output depends on the other examples of the batch") in [
        (gap.operation, gap.reason) for gap in found.uncounted
    ]
