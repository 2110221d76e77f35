"""Operators that call functions (branches, loops, maps), and parameters that are not the module's own: by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from test_observe_written_otherwise import Written, counted, products
from torch import Tensor, nn
from torch.nn import functional

INPUTS, STATE, STEPS, TURNS = 3, 4, 5, 6
Forward = Callable[[Any, Tensor], Tensor]
HIGHER = torch.ops.higher_order


def _cond(own: Any, x: Tensor) -> Tensor:
    return HIGHER.cond(x.abs().max() < 0, lambda x: x @ own.w @ own.u, lambda x: x @ own.w, (x,))


def _while(own: Any, x: Tensor) -> Tensor:
    turn = torch.tensor(0)
    return HIGHER.while_loop(lambda n, h: n < TURNS, lambda n, h: (n + 1, torch.tanh(h @ own.u)), (turn, x), ())[1]


def _scan(own: Any, x: Tensor) -> Tensor:
    def step(h: Tensor, now: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.tanh(now @ own.w + h @ own.u)
        return h, h.clone()

    return HIGHER.scan(step, (x.new_zeros(len(x), STATE),), (x.transpose(0, 1),), ())[1].transpose(0, 1)


def _map(own: Any, x: Tensor) -> Tensor:
    return HIGHER.map_impl(lambda now: (now @ own.w,), (x.transpose(0, 1),), ())[0].transpose(0, 1)


def _ensemble(own: Any, x: Tensor) -> Tensor:
    weights, buffers = torch.func.stack_module_state(list(own.members))
    call = torch.func.functional_call
    each = torch.vmap(lambda *held: call(own.members[0], held, (x,)), in_dims=(0, 0))
    return each(weights, buffers).mean(0)


W, U = torch.ones(INPUTS, STATE), torch.ones(STATE, STATE)
CASES: dict[str, tuple[Forward, dict[str, Any], tuple[int, ...], int]] = {
    "the branch taken": (_cond, {"w": W, "u": U}, (INPUTS,), INPUTS * STATE),
    "a loop that counts its turns": (_while, {"u": U}, (STATE,), TURNS * STATE * STATE),
    "a scan": (_scan, {"w": W, "u": U}, (STEPS, INPUTS), STEPS * (INPUTS + STATE) * STATE),
    "a map": (_map, {"w": W}, (STEPS, INPUTS), STEPS * INPUTS * STATE),
    "an ensemble of stacked parameters": (
        _ensemble, {"members": nn.ModuleList(nn.Linear(INPUTS, STATE) for _ in range(3))}, (INPUTS,),
        3 * INPUTS * STATE,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_functions_are_seen(name: str) -> None:
    run, held, shape, wanted = CASES[name]
    found = counted(Written(run, **held), *shape)
    assert (found.complete, products(found)) == (True, wanted)


def test_the_state_of_a_scan() -> None:
    found = counted(Written(_scan, w=W, u=U), STEPS, INPUTS)
    assert sum(layer.state_elements for layer in found.layers) == STATE


def test_an_unknown_operator_is_listed() -> None:
    def run(own: Any, x: Tensor) -> Tensor:
        return HIGHER.out_dtype(torch.ops.aten.mm.default, torch.float32, x, own.w)

    found = counted(Written(run, w=W), INPUTS)
    assert next((one.operation, one.reason) for one in found.uncounted) == (
        "out_dtype",
        "it calls functions of its own, whose operations are not seen",
    )


@pytest.mark.filterwarnings("ignore:`torch.jit")
def test_tangents_of_constants_have_no_address() -> None:
    def run(own: Any, x: Tensor) -> Tensor:
        return torch.func.jvp(lambda x: functional.linear(x, own.w.T, own.u[0]).tanh(), (x,), (x,))[1]

    found = counted(Written(run, w=W, u=U), INPUTS)
    assert products(found) >= 2 * INPUTS * STATE
    assert not found.complete
