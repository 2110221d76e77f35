"""From a quantised network to a deployed graph: module by module, or along the graph of an adopted network."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import fx, nn

from energy_models.errors import StudentError
from students.deploy.fixed_point import MULTIPLIER_BITS
from students.deploy.graph import INPUT, DeployedGraph, InputCodes, Node, Range, sources_of
from students.deploy.lowering.builder import Builder, Signal, refused
from students.deploy.lowering.calls import lower_call
from students.deploy.lowering.modules import LOWERED_WHOLE, lower_module, lower_sum
from students.deploy.lowering.moves import lower_move
from students.deploy.lowering.rows import lower_matmul, lower_multiply
from students.families.readout import StepDecoder
from students.layers import FusedSequential, Residual, TimeFirst
from students.layers.grid import Grid
from students.neurons.lif import ZeroInitialState
from students.quantize.adopt.parts import Sum
from students.quantize.rows import IntegerMatMul, IntegerMultiply
from students.spec import Shape

CHAINS = (nn.Sequential, FusedSequential, TimeFirst)
OUTPUT, OUTPUT_BITS = "output", 32
"""Name and width [bits] of the requantisation that puts outputs into one fixed point."""

def lower(
    model: nn.Module, shape: Shape, *, codes: InputCodes, multiplier_bits: int = MULTIPLIER_BITS
) -> DeployedGraph:
    """Return the integers a chip runs, from converter codes to a class or an estimate.

    Batch norms, scalings and the divisors of averages become part of the next multiplier and offset, a standardisation
    part of the first. Logits that share one scale are compared as accumulators; others, and estimates, are put into a
    fixed point of 32 bits.

    Parameters
    ----------
    model : nn.Module
        Quantised and calibrated, of this project's layers or adopted; not changed.
    shape : Shape
        What it takes.
    codes : InputCodes
        Of the converter.
    multiplier_bits : int
        Width of the multipliers, sign included: from about 25 on a rounding differs from Brevitas's only where a
        float does, whose scales have as many.

    Raises
    ------
    StudentError
        Naming the layer that has no deployed form.
    """
    if codes.scale.size not in (1, shape.channels) or not bool((codes.scale > 0).all()):
        raise StudentError(
            f"{codes.scale.size} scales of codes for {shape.channels} channels, or one that is not above zero",
            where="lower", remedy="Give one scale and offset, or one for each channel",
        )
    source = Range((shape.channels, shape.steps), codes.lowest, codes.highest)
    builder = Builder(source, multiplier_bits, stream=shape.task == "regression")
    scale, offset = (one.reshape(-1, 1) if one.ndim else one for one in (codes.scale, codes.offset))
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            device = next((one.device for one in model.parameters()), torch.device("cpu"))
            model(torch.zeros(1, shape.channels, shape.steps, device=device))  # every product learns its input's grid
        _check_finite(model)
        signal = _lower(builder, "", model, Signal(INPUT, source, scale, offset))
    finally:
        model.train(was_training)
    signal = _output(builder, signal, shape)
    return DeployedGraph(
        shape.task, codes, source, _needed(builder.nodes, signal.node), float(signal.scale.ravel()[0]),
        float(signal.offset.ravel()[0]), signal.ending, multiplier_bits,
    )  # fmt: skip


def _check_finite(model: nn.Module) -> None:
    """Raise where a weight, a statistic or a scale is no number."""
    for name, values in model.state_dict().items():
        if values.is_floating_point() and not bool(values.isfinite().all()):
            raise StudentError(
                f"{int((~values.isfinite()).sum())} of the {values.numel()} values of {name} are not finite",
                where="lower", remedy="Train this student again, or load one that is finite",
            )


def _needed(nodes: Sequence[Node], last: str) -> tuple[Node, ...]:
    """Return the nodes that the output depends on."""
    needed, found = {last}, list[Node]()
    for node in reversed(nodes):
        if node.name in needed:
            needed.update(sources_of(node))
            found.append(node)
    return tuple(reversed(found))


def _lower(builder: Builder, path: str, module: nn.Module, signal: Signal) -> Signal:
    if isinstance(module, fx.GraphModule):
        return _lower_graph(builder, path, module, signal)
    if isinstance(module, StepDecoder):
        return _transposed(builder, _lower(builder, _inside(path, "body"), module.body, signal))
    if type(module) in CHAINS:
        for name, one in module.named_children():
            signal = _lower(builder, _inside(path, name), one, signal)
        return signal
    if type(module) is Residual:
        parts = (("branch", module.branch), ("shortcut", module.shortcut))
        first, second = (_lower(builder, _inside(path, name), one, signal) for name, one in parts)
        return lower_sum(builder, _inside(path, "add"), cast(Sum, module.add), (first, second))
    if _is_own_container(module):
        return _lower_graph(builder, path, _followed(path, module), signal)
    return lower_module(builder, path, module, signal)


class _Whole(fx.Tracer):
    """Follows a module's forward pass, but into none of the modules inside it."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Return True."""
        return True


def _is_own_container(module: nn.Module) -> bool:
    """Return whether a module is made of others by a forward pass of its own: a block of a family."""
    return not isinstance(module, (*LOWERED_WHOLE, ZeroInitialState)) and bool(list(module.children())) and (
        not type(module).__module__.startswith(("torch.", "brevitas."))
    )


def _followed(path: str, module: nn.Module) -> fx.GraphModule:
    """Return a container's forward pass as a graph of its modules and calls.

    Raises
    ------
    StudentError
        One that depends on the numbers.
    """
    try:
        return fx.GraphModule(module, _Whole().trace(module))
    except Exception as error:  # tracing runs the module's own code on stand-ins, which may raise anything
        why = f"its forward pass cannot be followed ({error})"
        raise refused(f"{path!r} ({type(module).__name__})", why) from error


def _inside(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _lower_graph(builder: Builder, path: str, module: fx.GraphModule, source: Signal) -> Signal:
    signals: dict[fx.Node, Any] = {}
    for node in module.graph.nodes:
        if node.op == "placeholder":
            signals[node] = source
        elif node.op == "output":
            found = node.args[0]
            if not isinstance(found, fx.Node) or not isinstance(signals[found], Signal):
                raise refused("its output", "it is no single signal")
            return signals[found]
        elif node.op == "get_attr":
            raise refused(str(node.target), "a stored number beside the layers")
        elif node.op == "call_module":
            signals[node] = _lower_layer(builder, path, module, node, signals)
        else:
            signals[node] = lower_call(builder, node, signals)
    raise refused("the network", "it puts out nothing")


def _lower_layer(
    builder: Builder, path: str, module: fx.GraphModule, node: fx.Node, signals: Mapping[fx.Node, Any]
) -> Signal:
    name = str(node.target)
    layer = module.get_submodule(name)
    given = [signals[one] for one in node.args if isinstance(one, fx.Node)]
    if isinstance(layer, Sum) and len(given) == 2:
        return lower_sum(builder, _inside(path, name), layer, (given[0], given[1]))
    if isinstance(layer, IntegerMatMul) and len(given) == 2:
        return lower_matmul(builder, _inside(path, name), layer, (given[0], given[1]))
    if isinstance(layer, IntegerMultiply) and len(given) == 2:
        return lower_multiply(builder, _inside(path, name), layer, (given[0], given[1]))
    if len(given) != 1:
        raise refused(f"{name!r} ({type(layer).__name__})", "it takes several signals")
    return _lower(builder, _inside(path, name), layer, given[0])


def _transposed(builder: Builder, signal: Signal) -> Signal:
    """Return a signal with its two axes exchanged; twice is nothing."""
    return lower_move(builder, OUTPUT, lambda places: places.transpose(1, 2), signal)


def _output(builder: Builder, signal: Signal, shape: Shape) -> Signal:
    """Return outputs that are compared, or read, on one scale."""
    if shape.task == "regression" and len(signal.shape) == 2:
        signal = _transposed(builder, signal)  # (steps, outputs) as the network gives them
    wanted = 1 if shape.task == "classification" else 2
    if len(signal.shape) != wanted or signal.shape[0] != shape.outputs:
        raise refused("its output", f"a shape of {signal.shape} where {shape.outputs} outputs are expected")
    shared = len(set(signal.scale.ravel().tolist())) == len(set(signal.offset.ravel().tolist())) == 1
    if shape.task == "classification" and shared and bool((signal.scale > 0).all()):
        return signal
    most = float((np.abs(signal.scale) * signal.largest + np.abs(signal.offset)).max())
    scale = 2.0 ** (math.frexp(max(most, np.finfo(np.float64).tiny))[1] - OUTPUT_BITS + 1)
    finest = float(np.abs(signal.scale).max()) * 2.0 ** (2 - builder.multiplier_bits)  # what a multiplier can hold
    scale = max(scale, 2.0 ** math.frexp(finest)[1] if finest else 0.0)
    return builder.requantise(signal, Grid(OUTPUT_BITS, scale, signed=True), OUTPUT)
