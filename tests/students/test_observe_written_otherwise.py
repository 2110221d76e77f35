"""The same layers as torch users write them otherwise: by hand, by functions, by lists, generators, views."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from energy_models.workload import Workload
from students.counting import observe

STEPS, INPUTS, STATE = 5, 3, 4
CELL = INPUTS * STATE + STATE * STATE  # products of one step of an Elman cell
Forward = Callable[[Any, Tensor], Any]


class Written(nn.Module):
    """A network of one function and its parts."""

    def __init__(self, run: Forward, **parts: Any) -> None:
        super().__init__()
        self.run = run
        for name, part in parts.items():
            setattr(self, name, part if isinstance(part, nn.Module) else nn.Parameter(part))

    def forward(self, x: Tensor) -> Any:
        return self.run(self, x)


def counted(network: nn.Module, *shape: int) -> Workload:
    torch.manual_seed(0)
    return observe(network.eval(), torch.randn(2, *shape), name="n", mode="window", step_rate_hz=100.0, input_bits=16)


def products(found: Workload) -> float:
    assert found.products is not None
    return found.products.dense_full.mean


def _next(own: Any, x: Tensor, h: Tensor) -> Tensor:
    return torch.tanh(own.i(x) + own.h(h))


def by_list(own: Any, x: Tensor) -> Tensor:
    states = [torch.zeros(len(x), STATE)]
    for step in x.unbind(1):
        states.append(_next(own, step, states[-1]))
    return torch.stack(states[1:], 1)


def by_recursion(own: Any, x: Tensor, place: int = 0, h: Tensor | None = None) -> Tensor:
    h = torch.zeros(len(x), STATE) if h is None else h
    return h if place == STEPS else by_recursion(own, x, place + 1, _next(own, x[:, place], h))


def by_dict(own: Any, x: Tensor) -> dict[str, Any]:
    kept: dict[str, Any] = {"h": torch.zeros(len(x), STATE), "n": 0}
    for step in x.unbind(1):
        kept = {"h": _next(own, step, kept["h"]), "n": kept["n"] + 1}
    return {"out": kept["h"], "more": (kept["h"], kept["n"])}


def in_place(own: Any, x: Tensor) -> Tensor:
    h = torch.zeros(len(x), STATE)
    for step in x.unbind(1):
        h.copy_(_next(own, step, h))
    return h


def in_a_buffer(own: Any, x: Tensor) -> Tensor:
    h = torch.zeros(len(x), STEPS + 1, STATE)
    for place in range(STEPS):
        h[:, place + 1] = _next(own, x[:, place], h[:, place].clone())
    return h


def as_attribute(own: Any, x: Tensor) -> Tensor:
    own.now = torch.zeros(len(x), STATE)
    for step in x.unbind(1):
        own.now = _next(own, step, own.now)
    return own.now


def by_generator(own: Any, x: Tensor) -> Tensor:
    def states() -> Iterator[Tensor]:
        h = torch.zeros(len(x), STATE)
        for step in x.unbind(1):
            h = _next(own, step, h)
            yield h

    return torch.stack(list(states()), 1)


def with_break(own: Any, x: Tensor) -> Tensor:
    h, place = torch.zeros(len(x), STATE), 0
    while True:
        h, place = _next(own, x[:, place], h), place + 1
        if place == STEPS:
            break
    return h


@pytest.mark.parametrize(
    "run", [by_list, by_recursion, by_dict, in_place, in_a_buffer, as_attribute, by_generator, with_break]
)
def test_a_state_is_found_however_its_loop_is_written(run: Forward) -> None:
    found = counted(Written(run, i=nn.Linear(INPUTS, STATE), h=nn.Linear(STATE, STATE)), STEPS, INPUTS)
    assert found.complete
    assert products(found) == STEPS * CELL
    assert sum(layer.state_elements for layer in found.layers) == STATE


def _cell(name: str, states: int) -> Forward:
    def run(own: Any, x: Tensor) -> Tensor:
        zero = torch.zeros(len(x), STATE)
        now: Any = (zero, zero) if states > 1 else zero
        for step in x.unbind(1):
            now = getattr(torch, name)(step, now, own.w, own.u)
        return now[0] if states > 1 else now

    return run


@pytest.mark.parametrize(
    ("name", "gates", "states"),
    [("rnn_tanh_cell", 1, 1), ("rnn_relu_cell", 1, 1), ("gru_cell", 3, 1), ("lstm_cell", 4, 2)],
)
def test_functional_cells(name: str, gates: int, states: int) -> None:
    parts = {"w": torch.randn(gates * STATE, INPUTS), "u": torch.randn(gates * STATE, STATE)}
    found = counted(Written(_cell(name, states), **parts), STEPS, INPUTS)
    assert (found.complete, products(found)) == (True, STEPS * gates * CELL)
    assert sum(layer.state_elements for layer in found.layers) == states * STATE


def _packed(own: Any, x: Tensor) -> Tensor:
    packed = nn.utils.rnn.pack_padded_sequence(x, torch.full((len(x),), STEPS), batch_first=True)
    return nn.utils.rnn.pad_packed_sequence(own.l(packed)[0], batch_first=True)[0]


W = torch.ones(INPUTS, STATE)
OTHERS: dict[str, tuple[Forward, dict[str, Any], tuple[int, ...], int]] = {
    "packed": (_packed, {"l": nn.LSTM(INPUTS, STATE, batch_first=True)}, (STEPS, INPUTS), STEPS * 4 * CELL),
    "projected": (
        lambda own, x: own.l(x)[0], {"l": nn.LSTM(INPUTS, STATE, batch_first=True, proj_size=2)},
        (STEPS, INPUTS), STEPS * (4 * STATE * (INPUTS + 2) + 2 * STATE),
    ),
    "einsum of three": (
        lambda own, x: torch.einsum("bi,kij,bj->bk", x, own.w, x), {"w": torch.ones(STATE, INPUTS, INPUTS)},
        (INPUTS,), STATE * INPUTS * INPUTS + STATE * INPUTS,
    ),
    "tensordot": (lambda own, x: torch.tensordot(x, own.w, dims=([2], [0])), {"w": W}, (STEPS, INPUTS), 60),
    "inner": (lambda own, x: torch.inner(x, own.w.T), {"w": W}, (STEPS, INPUTS), 60),
    "vmap": (lambda own, x: torch.vmap(own.l)(x), {"l": nn.Linear(INPUTS, STATE)}, (STEPS, INPUTS), 60),
    "functional call": (
        lambda own, x: torch.func.functional_call(own.l, dict(own.l.named_parameters()), (x,)),
        {"l": nn.Linear(INPUTS, STATE)}, (INPUTS,), 12,
    ),
    "as strided": (
        lambda own, x: x.as_strided((len(x), 8, 3), (x.stride(0), 1, 1)) @ own.w, {"w": W}, (10,), 8 * 3 * 4,
    ),
    "unfold": (
        lambda own, x: x.unfold(2, 3, 1).permute(0, 2, 1, 3).flatten(2) @ own.w, {"w": torch.ones(9, 4)}, (3, 10),
        8 * 9 * 4,
    ),
    "grouped transposed convolution": (
        lambda own, x: own.l(x), {"l": nn.ConvTranspose1d(4, 8, 3, stride=2, groups=2, output_padding=1)}, (4, 10),
        10 * 4 * 4 * 3,
    ),
    "circular": (
        lambda own, x: own.l(x), {"l": nn.Conv1d(3, 4, 3, padding=1, padding_mode="circular")}, (3, 10), 360,
    ),
    "complex by three or four": (
        lambda own, x: torch.view_as_real((x + 0j) @ torch.complex(own.w, own.w)), {"w": W}, (INPUTS,), 4 * 12,
    ),
    "grouped queries": (
        lambda own, x: functional.scaled_dot_product_attention(x, x[:, :2], x[:, :2], enable_gqa=True), {},
        (4, 5, 4), 2 * 4 * 5 * 5 * 4,
    ),
    "tied": (lambda own, x: (x @ own.w) @ own.w.T, {"w": W}, (INPUTS,), 24),
    "bilinear": (
        lambda own, x: own.l(x, x), {"l": nn.Bilinear(INPUTS, INPUTS, STATE)}, (INPUTS,),
        STATE * INPUTS * INPUTS + STATE * INPUTS,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_products_written_otherwise(name: str) -> None:
    run, parts, shape, wanted = OTHERS[name]
    found = counted(Written(run, **parts), *shape)
    assert (found.complete, products(found)) == (True, wanted)
