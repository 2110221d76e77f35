"""Modules counted whole, because their meaning is more than their tensor operations: neurons and quantisers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn

from students.counting.dispatch import ModuleContext, Tracer
from students.counting.modules.delay_lines import count_delays, count_level_crossings, count_past_sums
from students.counting.modules.graph_quantised import attach_graph_quantised, count_quantiser
from students.counting.modules.input_codes import count_code
from students.counting.modules.integer_recurrent import recurrent_counter
from students.counting.modules.integer_rows import rows_counter
from students.counting.modules.linear_attention import count_linear_attention
from students.counting.modules.neuron_products import watch
from students.counting.modules.neurons import ModuleCounter, neuron_counter
from students.counting.modules.quantised import attach_quantised, followed, signal_counter
from students.counting.modules.state_space import count_scan
from students.counting.modules.torch_int8 import int8_counter
from students.counting.modules.torch_int8_recurrent import count_recurrent, is_recurrent, watch_states
from students.counting.records import reader
from students.counting.rules import fold_affine
from students.interchange import Quantiser
from students.layers.delay_lines import Delays, PastSums
from students.layers.linear_attention import LinearAttention
from students.layers.modules import Add, OutputScale
from students.layers.state_space import DiagonalStateSpace, SelectiveScan
from students.neurons.described import neuron_dynamics
from students.neurons.encoders import LevelCrossings
from students.neurons.input_codes import Envelopes, RandomRateCode, RateCode
from students.neurons.lock_in import LockIn


def _output_scale(tracer: Tracer, module: Any, signal: Tensor, output: Any) -> None:
    info = tracer.read(signal)
    tracer.set_info(output, fold_affine(tracer, tracer.path, signal, info, module.scale.numel()))


def _counter(module: nn.Module, reading: Any | None) -> ModuleCounter | None:
    """Return how a module is counted whole; None where its operations are counted one by one."""
    neuron = neuron_counter(module)
    if neuron is not None:
        return neuron
    if is_recurrent(module):
        return count_recurrent
    int8 = int8_counter(module)
    if int8 is not None:
        return int8
    if isinstance(module, OutputScale):
        return _output_scale
    if isinstance(module, LinearAttention):
        return count_linear_attention
    if isinstance(module, SelectiveScan | DiagonalStateSpace):
        return count_scan
    if isinstance(module, RateCode | RandomRateCode | Envelopes | LockIn):
        return count_code
    if isinstance(module, Delays):
        return count_delays
    if isinstance(module, PastSums):
        return count_past_sums
    if isinstance(module, LevelCrossings):
        return count_level_crossings
    if isinstance(module, Quantiser):
        return count_quantiser
    if reading is not None and reading.is_integer_recurrent(module):
        return recurrent_counter(reading)
    rows = rows_counter(reading, module)
    if rows is not None:
        return rows
    return signal_counter(reading, module)


def contexts(
    tracer: Tracer, model: nn.Module, handles: list[Any]
) -> Iterator[tuple[ModuleContext, ModuleCounter | None]]:
    """Return how each module of a model is counted: its context, and its counter where it is counted whole.

    Hooks that take further notes are added to `handles`, to be removed when the model has run.
    """
    reading = reader(model)
    handles += [*attach_quantised(tracer, reading, model), *attach_graph_quantised(tracer, model)]
    for path, module in followed(reading, model):
        counter = _counter(module, reading)
        integer = reading is not None and reading.is_integer_product(module)
        layer = reading is not None and reading.is_layer(module)
        codes = None if reading is None else reading.output_grid_of(module)
        if counter is not None:
            held = (*module.named_parameters(), *module.named_buffers())
            tracer.stored.own(f"{path}.{name}".lstrip(".") for name, _ in held)
        context = ModuleContext(
            path,
            module,
            silent=counter is not None or integer,
            opaque=counter is not None,
            whole=layer or isinstance(module, Add) or next(module.children(), None) is None,
            average_bits=codes.bits if codes is not None and counter is None else 0,
            feedback=getattr(module, "feedback_elements", 0),
        )
        handles += [*watch(tracer, module, neuron_dynamics(module)), *watch_states(tracer, module)]
        yield context, counter
