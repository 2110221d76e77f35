"""Quantisers of network files: signals are put on grids, weights and biases are counted on their integers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from students.counting.calls import tensors_of
from students.counting.dispatch import Info, Tracer
from students.counting.rules import put_on_grid
from students.interchange import OnGrid, Quantiser, Saturated


def count_quantiser(tracer: Tracer, module: Quantiser, signal: Tensor, output: Any) -> None:
    """Count one requantisation an element, or one look-up for a function it includes; a ReLU is its clip at zero."""
    codes = module.grid()
    if isinstance(codes, str):
        tracer.mark_uncounted("quantise", codes)
        tracer.set_info(tensors_of(output)[0], Info(tracer.info(signal).axes))
        return
    if isinstance(module, OnGrid):
        tracer.set_info(tensors_of(output)[0], replace(tracer.info(signal), codes=codes))
        return
    if isinstance(module, Saturated):
        tracer.set_info(tensors_of(output)[0], Info(tracer.info(signal).axes, word=module.bits))
        return
    function = "table" if module.before not in {"", "Relu"} else "clip"
    named = "activation" if module.before == "Relu" else "quantise"
    put_on_grid(tracer, (tracer.path, named), (signal, codes, tensors_of(output)[0]), function)


def attach_graph_quantised(tracer: Tracer, model: nn.Module) -> list[Any]:
    """Hook the tracer to quantisers of stored weights and biases; return the handles to remove."""
    found = [(path, module) for path, module in model.named_modules() if isinstance(module, Quantiser)]
    return [module.register_forward_hook(_note(tracer, path)) for path, module in found]


def _note(tracer: Tracer, path: str) -> Any:
    def note(module: Quantiser, args: Any, output: Tensor) -> None:
        """Remember the integers of a constant; quantising it is done once, before deployment."""
        if tracer.is_dynamic(args[0]):
            return
        name = tracer.weights_key(args[0]) or path
        key = ("constant", name, path)
        if key not in tracer.cache:
            tracer.cache[key] = module.constant(args[0])
        tracer.constants.note(output, name, tracer.cache[key])

    return note
