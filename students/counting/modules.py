"""Modules counted whole, because their meaning is more than their tensor operations: neurons and quantisers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from students.counting.integers import reader
from students.counting.layout import AxisLost, Layout, is_labelled
from students.counting.ledger import Work
from students.counting.operands import Info
from students.counting.pointwise import fold_affine
from students.counting.products import element_bits
from students.counting.quantised import attach_quantised, signal_counter
from students.counting.scan import count_scan
from students.counting.tracer import Frame, Tracer, tensors_of
from students.grid import SPIKES
from students.layers import OutputScale
from students.lif import LIF, LeakyIntegrator
from students.scan import DiagonalStateSpace, SelectiveScan

Counter = Callable[[Tracer, Any, Tensor, Any], None]


def _neuron(tracer: Tracer, module: Any, current: Tensor, output: Any) -> None:
    """Count leaky neurons ``(batch, channels, steps)``: per neuron and step one leak; one add if driven.

    Neurons that fire: one compare per step, and one subtraction per spike.
    """
    fires = isinstance(module, LIF)
    signal, state = output
    info = tracer.read(current) if fires else tracer.info(current)
    layout = info.layout
    if layout is not None and is_labelled(layout[1]):
        raise AxisLost
    steps = 1 if tracer.ledger.steps else current.shape[2]
    updates = module.channels * steps
    active = tracer.sums(current != 0, layout)
    counts: dict[str, int | Tensor] = {
        "active": active,
        "idle": updates - active,
        "input_events": active,
        "op:leak": updates,
        "op:add": active,
    }
    if fires:
        spikes = tracer.sums(signal != 0, layout)
        counts |= {"output_events": spikes, "op:compare": updates}
        if module.reset == "subtract":
            counts["op:reset"] = spikes
    shape = (module.channels,)
    # Fed by integers, a membrane is a fixed-point number as wide as the float it stands for.
    bits, word = element_bits(current), element_bits(current) if info.arithmetic == "integer" else 0
    work = Work(
        kind="neuron",
        arithmetic=info.arithmetic,
        input_shape=shape,
        output_shape=shape,
        counts=counts,
        calls=steps,
        when=tracer.when(info),
        activation_bits=info.bits(current),
        output_bits=1 if fires else bits,
        state_bits=bits,
        state_elements=module.channels,
        state_reads=updates,
        state_writes=updates,
    )
    tracer.book(tracer.path, work)
    # An integrator is linear: a scale and offset after it still fold into the product before it.
    tracer.know(signal, Info(layout, SPIKES) if fires else Info(layout, producer=info.producer, word=word))
    tracer.know(state, Info(_without_steps(layout), word=word))


def _without_steps(layout: Layout | None) -> Layout | None:
    return None if layout is None else layout[:2]


def _output_scale(tracer: Tracer, module: Any, signal: Tensor, output: Any) -> None:
    info = tracer.read(signal)
    tracer.know(output, fold_affine(tracer, tracer.path, signal, info, module.scale.numel()))


def _counter(module: nn.Module, reading: Any | None) -> Counter | None:
    """Return how a module is counted whole; None where its operations are counted one by one."""
    if isinstance(module, LIF | LeakyIntegrator):
        return _neuron
    if isinstance(module, OutputScale):
        return _output_scale
    if isinstance(module, SelectiveScan | DiagonalStateSpace):
        return count_scan
    return signal_counter(reading, module)


def attach(tracer: Tracer, model: nn.Module) -> list[Any]:
    """Hook the tracer to every module; return the handles to remove."""
    reading = reader(model)
    handles = attach_quantised(tracer, reading, model)
    for path, module in model.named_modules():
        if reading is not None and reading.INSIDE in path.split("."):
            continue
        counter = _counter(module, reading)
        integer = reading is not None and reading.is_integer_product(module)
        codes = None if reading is None else reading.output_grid_of(module)
        frame = Frame(
            path,
            module,
            silent=counter is not None or integer,
            opaque=counter is not None,
            whole=integer or next(module.children(), None) is None,
            average_bits=codes.bits if codes is not None and counter is None else 0,
        )
        handles += [_enter(tracer, frame), _leave(tracer, module, counter)]
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
        if counter is not None and inputs and not tracer.frames[-2].silent and tracer.is_dynamic(inputs[0]):
            try:
                counter(tracer, module, inputs[0], output)
            except AxisLost as lost:
                tracer.lose(type(module).__name__, str(lost))
                for tensor in tensors_of(output):
                    tracer.know(tensor, Info(None))
        tracer.frames.pop()

    return module.register_forward_hook(leave, with_kwargs=True)
