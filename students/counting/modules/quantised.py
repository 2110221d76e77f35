"""Quantisers of a Brevitas network: signals are put on grids, weights and biases are counted on their integers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from students.counting.axes import BatchAxisError, plain, steps_of
from students.counting.calls import tensors_of
from students.counting.dispatch import Info, Tracer
from students.counting.modules.neurons import ModuleCounter
from students.counting.records import BIAS_BITS, MULTIPLIER_BITS, Work
from students.counting.rules import put_on_grid
from students.layers.grid import Grid

QUANTISER = ".fused_activation_quant_proxy"
"""How the path of a signal quantiser ends inside its layer's."""


def signal_counter(reading: Any, module: nn.Module) -> ModuleCounter | None:
    """Return how a module that puts a signal on a grid is counted whole; None for any other module."""
    if reading is None or not (reading.is_signal_quantiser(module) or reading.is_truncation(module)):
        return None

    def count(tracer: Tracer, module: nn.Module, signal: Tensor, output: Any) -> None:
        _signal(tracer, reading, module, signal, output)

    return count


def _signal(tracer: Tracer, reading: Any, module: nn.Module, signal: Tensor, output: Any) -> None:
    """Count one requantisation an element, or one look-up for a non-linear function of a signal on a grid."""
    info, values = tracer.info(signal), tensors_of(output)[0]
    if info.padded_steps:
        raise BatchAxisError
    codes, function = reading.signal_grid(module, output), reading.function_of(module)
    if reading.is_truncation(module):
        function = "clip"
    if isinstance(codes, str) or function == "unknown":
        tracer.mark_uncounted("quantise", codes if isinstance(codes, str) else "a function of its own before it rounds")
        tracer.set_info(values, Info(info.axes))
        return
    name = tracer.path.removesuffix(QUANTISER).removesuffix(".act_quant")
    named = reading.has_name(module) and function == "clip" and not reading.is_truncation(module)
    put_on_grid(tracer, (name, "activation" if named else "quantise"), (signal, codes, values), function)


def followed(reading: Any | None, model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Yield path and module of all that is followed; parts of a quantiser are counted with it instead."""
    inner = ""
    for path, module in model.named_modules():
        if reading is not None:
            if reading.INSIDE in path.split(".") or (inner and path.startswith(inner)):
                continue
            if reading.is_signal_quantiser(module) or reading.is_parameter_quantiser(module):
                inner = f"{path}."
        yield path, module


def attach_quantised(tracer: Tracer, reading: Any | None, model: nn.Module) -> list[Any]:
    """Hook the tracer to what is no signal quantiser in a Brevitas network; return the handles to remove."""
    if reading is None:
        return []
    handles: list[Any] = []
    names = reading.parameter_names(model)
    for path, module in followed(reading, model):
        if reading.is_parameter_quantiser(module):
            handles.append(module.register_forward_hook(_note(tracer, reading, path, names)))
        elif reading.is_layer(module):
            handles.append(module.register_forward_pre_hook(_adopt(tracer, reading)))
        elif reading.is_recurrent(module):
            handles.append(module.register_forward_pre_hook(_start(tracer, reading)))
            handles.append(module.register_forward_hook(_state(tracer, reading, path)))
        if reading.is_scale_bias(module):
            handles.append(module.register_forward_hook(_stored(tracer, path)))
    return handles


def _note(tracer: Tracer, reading: Any, path: str, names: Mapping[int, str]) -> Any:
    def note(module: nn.Module, args: Any, output: Any) -> None:
        """Remember the integers of a weight or bias; quantising it is done once, before deployment."""
        name = names.get(id(args[0])) or tracer.weights_key(args[0]) or path
        key = ("constant", name, path)
        if key not in tracer.cache:
            tracer.cache[key] = reading.constant_of(module, output, path)
        found = tracer.cache[key]
        if isinstance(found, str):
            tracer.mark_uncounted("quantised weights", found)
        else:
            tracer.constants.note(output.value, name, found[1])

    return note


def _adopt(tracer: Tracer, reading: Any) -> Any:
    def adopt(_: nn.Module, args: Any) -> None:
        """Take the grid of a quantised tensor that user code made of float numbers."""
        for values, grid in reading.carried_grids(args):
            info = tracer.info(values)
            if tracer.is_dynamic(values) and info.arithmetic == "float" and info.producer is None:
                if isinstance(grid, Grid):
                    tracer.set_info(values, replace(info, codes=grid))
                else:
                    tracer.mark_uncounted("quantised tensor", grid)

    return adopt


def _start(tracer: Tracer, reading: Any) -> Any:
    def start(module: Any, args: Any) -> Any:
        """Give the first step a state of zeros that is counted like the state of every other step."""
        signal = tensors_of(args[:1])[0]
        if not tracer.is_dynamic(signal):
            return args
        if tracer.trace is not None:
            tracer.trace.paused = True  # what follows is sized here
        batch = 0 if module.cell.batch_first else 1
        axes = tracer.info(signal).axes
        states = list(args[1:])
        for place, grid in enumerate(reading.state_grids(module)):
            if states[place] is None:
                shape = signal.shape[batch], module.hidden_size
                states[place] = torch.zeros(shape, dtype=signal.dtype, device=signal.device)
                state_axes = None if axes is None else (axes[batch], plain(module.hidden_size))
                tracer.set_info(states[place], Info(state_axes, grid))
        return (args[0], *states)

    return start


def _state(tracer: Tracer, reading: Any, path: str) -> Any:
    def state(module: Any, args: Any, output: Any) -> None:
        """Record the state of one recurrent layer and direction, read and written each step, and its gates' biases."""
        signal = tensors_of(args)[0]
        if tracer.trace is not None:
            tracer.trace.paused = False
        if not tracer.is_dynamic(signal):
            return
        time = 1 if module.cell.batch_first else 0
        axes = tracer.info(signal).axes
        if axes is None and tracer.recorder.steps:
            tracer.lose_batch_axis("recurrent state")
            return
        steps = 1 if axes is not None and steps_of(axes[time]) else signal.shape[time]
        biases = reading.gate_biases(module)
        tracer.stored.own(f"{path}.{name}" for name, _ in module.named_parameters() if name.endswith("bias"))
        for name, values in zip(("hidden", "cell"), _values(output)[1:], strict=False):
            info = tracer.info(values)
            bits = info.bits(values)
            work = Work(
                kind="recurrent",
                arithmetic=info.arithmetic,
                input_shape=(0,),
                output_shape=(0,),
                counts={},
                calls=steps,
                when=tracer.when(tracer.info(signal)),
                biases=biases if name == "hidden" else 0,
                bias_bits=BIAS_BITS if biases and name == "hidden" else 0,
                weights_key=f"{path}.biases" if biases and name == "hidden" else "",
                activation_bits=bits,
                output_bits=bits,
                state_bits=bits,
                state_elements=module.hidden_size,
                state_reads=module.hidden_size * steps,
                state_writes=module.hidden_size * steps,
            )
            tracer.record(f"{path}.{name}_state", work)

    return state


def _values(outputs: Any) -> list[Tensor]:
    """Return the values of each output of a recurrent layer, quantised or not."""
    return [one if isinstance(one, Tensor) else one.value for one in outputs]


def _stored(tracer: Tracer, path: str) -> Any:
    def stored(module: Any, args: Any, output: Any) -> None:
        """Record the storage of a quantised scale and offset, whose operations are counted one by one."""
        known = tracer.cache.get(("constant", f"{path}.weight", f"{path}.weight_quant"))
        offset = tracer.cache.get(("constant", f"{path}.bias", f"{path}.bias_quant"))
        if known is None or isinstance(known, str):
            return
        tracer.stored.own((f"{path}.weight", f"{path}.bias"))
        constant, biases = known[1], 0 if module.bias is None else module.bias.numel()
        work = Work(
            kind="norm",
            arithmetic="integer",
            input_shape=(0,),
            output_shape=(0,),
            counts={},
            weights=constant.values.numel(),
            weights_nonzero=int(constant.values.count_nonzero()),
            biases=biases,
            weights_key=f"{path}.weight",
            weight_bits=constant.bits,
            bias_bits=(offset[1].bits if offset else MULTIPLIER_BITS) if biases else 0,
        )
        tracer.record(f"{path}.stored", work)

    return stored
