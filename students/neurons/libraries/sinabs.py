"""Sinabs: its feed-forward neurons described, after the code of version 3.1 (``sinabs.layers``).

A layer makes all steps of its second axis, or of a first axis that holds examples and steps (``Squeeze``). Recurrent
ones are counted operation by operation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from students.neurons.dynamics import Dynamics, Reset, is_one

LAYERS = "sinabs.layers"
RESETS: Mapping[str, Reset] = {"MembraneSubtract": "subtract", "MembraneReset": "zero"}


def _fires(neuron: Any) -> dict[str, Any] | None:
    """Return threshold, reset and spikes; None for functions of a user's own.

    Several spikes a step are the membrane divided by the threshold and rounded down. Where they are subtracted, each
    neuron that fired multiplies them with the threshold.
    """
    spikes, reset = neuron.spike_fn, neuron.reset_fn
    name = getattr(spikes, "__name__", type(spikes).__name__)
    if type(reset).__name__ not in RESETS or name not in {"SingleSpike", "MultiSpike", "MaxSpike"}:
        return None
    kind = RESETS[type(reset).__name__]
    threshold = getattr(neuron, "b0", neuron.spike_threshold).detach()
    found: dict[str, Any] = {"threshold": threshold, "reset": kind}
    if kind == "zero" and reset.reset_value:
        found["constants"] = (torch.tensor(float(reset.reset_value)),)
    if kind == "subtract" and reset.subtract_value is not None:
        found["constants"] = (torch.tensor(float(reset.subtract_value)),)
    if name != "SingleSpike":
        step = threshold if found.get("constants") is None else found["constants"][0]
        scaled = not is_one(threshold)
        found |= {
            "heights": "counts", "adds": 1, "multiplies": int(scaled),
            "compares": int(getattr(spikes, "max_num_spikes_per_bin", None) is not None),
            "spike_multiplies": int(kind == "subtract" and not is_one(step)),
        }  # fmt: skip
    return found


def _drive(neuron: Any, alpha: Tensor) -> dict[str, Any]:
    """Return how the input reaches the membrane: through a synaptic current, scaled, or as it is."""
    through, part = neuron.alpha_syn_calculated, 1 - alpha
    if through is None:
        return {"states": ("v_mem",), "decays": (alpha,), "gain": part if neuron.norm_input else None}
    scaled = neuron.norm_input and not is_one(part)
    return {
        "states": ("v_mem", "i_syn"), "decays": (alpha, through.detach()), "adds": 1,
        "multiplies": int(scaled), "constants": (part,) if scaled else (),
    }  # fmt: skip


def _joined(*parts: dict[str, Any]) -> dict[str, Any]:
    """Return what the parts of an update need together."""
    together: dict[str, Any] = {}
    for part in parts:
        for name, value in part.items():
            summed = name in {"adds", "multiplies", "compares", "constants"}
            together[name] = together[name] + value if summed and name in together else value
    return together


def _bounded(neuron: Any) -> dict[str, Any]:
    """Return what a lowest membrane costs: one comparison a step."""
    lowest = neuron.min_v_mem
    return {} if lowest is None else {"compares": 1, "constants": (lowest.detach(),)}


def _leaky(neuron: Any) -> Dynamics | None:
    """I = a_syn (I + X); V = a V + (1 - a) I, fire, reset, bound; without the current X instead of I."""
    fires = {"threshold": None} if neuron.spike_fn is None else _fires(neuron)
    if fires is None:
        return None
    alpha = neuron.alpha_mem_calculated.detach()
    return Dynamics(steps_axis=1, **_joined(_drive(neuron, alpha), fires, _bounded(neuron)))


def _adaptive(neuron: Any) -> Dynamics | None:
    """As `_leaky`, fires above b0 + s B; B = a_b B + (1 - a_b) S: a leak, a product and a sum a step, a sum a spike.

    What is subtracted is the threshold of the neuron. Several spikes a step are counted operation by operation.
    """
    fires = _fires(neuron)
    if fires is None or "heights" in fires:
        return None
    alpha, adapts = neuron.alpha_mem_calculated.detach(), neuron.alpha_adapt_calculated.detach()
    drive = _drive(neuron, alpha)
    constants = (torch.as_tensor(neuron.adapt_scale, dtype=torch.float32).detach(), 1 - adapts)
    adapting = {"adds": 1, "multiplies": 1, "constants": constants}
    found = _joined(drive, fires, _bounded(neuron), adapting)
    found["states"], found["decays"] = (*drive["states"], "b"), (*drive["decays"], adapts)
    return Dynamics(steps_axis=1, spike_adds=1, **found)


def _squeezed(neuron: Any) -> Dynamics | None:
    plain = _leaky(neuron)
    return None if plain is None else replace(plain, unfolds=("batch_size", "num_timesteps"))


DESCRIBED: Mapping[str, Callable[[Any], Dynamics | None]] = {
    f"{LAYERS}.lif.LIF": _leaky,
    f"{LAYERS}.iaf.IAF": _leaky,
    f"{LAYERS}.exp_leak.ExpLeak": _leaky,
    f"{LAYERS}.alif.ALIF": _adaptive,
    f"{LAYERS}.lif.LIFSqueeze": _squeezed,
    f"{LAYERS}.iaf.IAFSqueeze": _squeezed,
    f"{LAYERS}.exp_leak.ExpLeakSqueeze": _squeezed,
}
