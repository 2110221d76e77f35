"""Modules counted whole, because their meaning is more than their tensor operations: neurons and quantisers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from students.counting.graph_quantised import attach_graph_quantised, count_quantiser
from students.counting.integers import reader
from students.counting.layout import AxisLost
from students.counting.neuron_products import watch
from students.counting.neurons import Counter, neuron_counter, neuron_dynamics, reached
from students.counting.operands import Info
from students.counting.pointwise import fold_affine
from students.counting.quantised import attach_quantised, followed, signal_counter
from students.counting.scan import count_scan
from students.counting.tracer import Frame, Tracer, tensors_of
from students.interchange.operators.quantised import Quantiser
from students.layers import OutputScale
from students.scan import DiagonalStateSpace, SelectiveScan


def _output_scale(tracer: Tracer, module: Any, signal: Tensor, output: Any) -> None:
    info = tracer.read(signal)
    tracer.know(output, fold_affine(tracer, tracer.path, signal, info, module.scale.numel()))


def _counter(module: nn.Module, reading: Any | None) -> Counter | None:
    """Return how a module is counted whole; None where its operations are counted one by one."""
    neuron = neuron_counter(module)
    if neuron is not None:
        return neuron
    if isinstance(module, OutputScale):
        return _output_scale
    if isinstance(module, SelectiveScan | DiagonalStateSpace):
        return count_scan
    if isinstance(module, Quantiser):
        return count_quantiser
    return signal_counter(reading, module)


def attach(tracer: Tracer, model: nn.Module) -> list[Any]:
    """Hook the tracer to every module; return the handles to remove."""
    reading = reader(model)
    handles = [*attach_quantised(tracer, reading, model), *attach_graph_quantised(tracer, model)]
    for path, module in followed(reading, model):
        counter = _counter(module, reading)
        integer = reading is not None and reading.is_integer_product(module)
        layer = reading is not None and reading.is_layer(module)
        codes = None if reading is None else reading.output_grid_of(module)
        frame = Frame(
            path,
            module,
            silent=counter is not None or integer,
            opaque=counter is not None,
            whole=layer or next(module.children(), None) is None,
            average_bits=codes.bits if codes is not None and counter is None else 0,
            feedback=getattr(module, "feedback_elements", 0),
        )
        handles += [_enter(tracer, frame), _leave(tracer, module, counter)]
        handles += watch(tracer, module, neuron_dynamics(module))
    return handles


def _enter(tracer: Tracer, frame: Frame) -> Any:
    def enter(_: nn.Module, args: Any) -> None:
        outer = tracer.frames[-1]
        inherits = outer.silent or outer.opaque
        tracer.frames.append(replace(frame, silent=True, opaque=outer.opaque) if inherits else frame)

    return frame.module.register_forward_pre_hook(enter)


def _leave(tracer: Tracer, module: nn.Module, counter: Counter | None) -> Any:
    def leave(_: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        inputs = tensors_of((args, kwargs))
        if counter is not None and inputs and not tracer.frames[-2].silent and reached(tracer, module, inputs):
            try:
                counter(tracer, module, inputs[0], output)
            except AxisLost as lost:
                tracer.lose(type(module).__name__, str(lost))
                for tensor in tensors_of(output):
                    tracer.know(tensor, Info(None))
        tracer.frames.pop()

    return module.register_forward_hook(leave, with_kwargs=True)
