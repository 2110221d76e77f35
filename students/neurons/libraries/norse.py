"""Norse: its feed-forward neurons described, after the code of version 1.1 (``norse.torch.functional``).

All make Euler steps of size dt: a state variable of rate r decays by ``1 - dt r``. A cell makes one step and hands its
state in and out; a layer makes all steps of its first axis. Recurrent ones are counted operation by operation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor

from students.neurons.dynamics import Dynamics

MODULES = "norse.torch.module"


def _number(value: Any) -> Tensor:
    return torch.as_tensor(value, dtype=torch.float32).detach()


def _decay(neuron: Any, rate: str) -> Tensor:
    return 1 - neuron.dt * _number(getattr(neuron.p, rate))


def _rest(neuron: Any) -> dict[str, Any]:
    """Return what a resting potential that is not 0 costs: one addition of a constant in each step."""
    rests = _number(neuron.p.v_leak)
    elsewhere = bool((rests != 0).any())
    return {"adds": int(elsewhere), "constants": (rests,) if elsewhere else ()}


def _current(neuron: Any, adds: int, constants: tuple[Tensor, ...]) -> dict[str, Any]:
    """Return what a synaptic current costs: its part ``dt / tau`` is added to the membrane in each step."""
    part = neuron.dt * _number(neuron.p.tau_mem_inv)
    decays = _decay(neuron, "tau_mem_inv"), _decay(neuron, "tau_syn_inv")
    return {"decays": decays, "adds": adds + 1, "multiplies": 1, "constants": (*constants, part)}


def _fires(neuron: Any, constants: tuple[Tensor, ...] = ()) -> dict[str, Any]:
    """Return threshold and reset, with other constants; a reset to a potential is a selection of a constant."""
    reset_to = _number(neuron.p.v_reset)
    stored = (*constants, reset_to) if bool((reset_to != 0).any()) else constants
    if getattr(getattr(neuron.p, "reset_method", None), "__name__", "") == "reset_subtract":
        return {"threshold": _number(neuron.p.v_th), "reset": "subtract", "constants": stored}
    return {"threshold": _number(neuron.p.v_th), "reset": "zero", "constants": stored}


def _leaky_integrate_and_fire(neuron: Any, axis: int | None) -> Dynamics:
    """I = I + X; V = (1 - a) V + a (V_leak + I), reset; I = (1 - b) I."""
    drive = _current(neuron, **_rest(neuron))
    return Dynamics(states=("v", "i"), steps_axis=axis, **{**drive, **_fires(neuron, drive["constants"])})


def _integrator(neuron: Any, axis: int | None) -> Dynamics:
    """As `_leaky_integrate_and_fire` without a threshold; the membrane is the output."""
    return Dynamics(states=("v", "i"), steps_axis=axis, threshold=None, **_current(neuron, **_rest(neuron)))


def _boxed(neuron: Any) -> dict[str, Any]:
    part = neuron.dt * _number(neuron.p.tau_mem_inv)
    return {"states": ("v",), "decays": (1 - part,), "gain": part, **_rest(neuron)}


def _box(neuron: Any, axis: int | None) -> Dynamics:
    """V = (1 - a) V + a (V_leak + X), reset."""
    drive = _boxed(neuron)
    return Dynamics(steps_axis=axis, **{**drive, **_fires(neuron, drive["constants"])})


def _box_integrator(neuron: Any, axis: int | None) -> Dynamics:
    """V = (1 - a) V + a (V_leak + X)."""
    return Dynamics(steps_axis=axis, threshold=None, **_boxed(neuron))


def _integrate_and_fire(neuron: Any, axis: int | None) -> Dynamics:
    """V = V + X, reset."""
    return Dynamics(states=("v",), decays=(), steps_axis=axis, **_fires(neuron))


def _adaptive(neuron: Any, axis: int | None) -> Dynamics:
    """As `_leaky_integrate_and_fire`, and the threshold B decays to V_th and grows with each spike.

    B = (1 - c) B + c V_th + beta S: one further leak, one addition of a constant a step and one a spike.
    """
    drive = _current(neuron, **_rest(neuron))
    more = {"adds": drive["adds"] + 1, "decays": (*drive["decays"], _decay(neuron, "tau_adapt_inv"))}
    fires = _fires(neuron, (*drive["constants"], _number(neuron.p.beta)))
    return Dynamics(states=("v", "i", "b"), steps_axis=axis, spike_adds=1, **{**drive, **more, **fires})


def _both(module: str, name: str, describe: Callable[..., Dynamics]) -> dict[str, Any]:
    """Return the cell, one step a call, and the layer, over all steps of the first axis."""
    cell, layer = partial(describe, axis=None), partial(describe, axis=0)
    return {f"{MODULES}.{module}.{name}Cell": cell, f"{MODULES}.{module}.{name}": layer}


DESCRIBED: Mapping[str, Callable[[Any], Dynamics | None]] = {
    **_both("lif", "LIF", _leaky_integrate_and_fire),
    **_both("leaky_integrator", "LI", _integrator),
    **_both("lif_box", "LIFBox", _box),
    **_both("leaky_integrator_box", "LIBox", _box_integrator),
    **_both("iaf", "IAF", _integrate_and_fire),
    **_both("lsnn", "LSNN", _adaptive),
}
